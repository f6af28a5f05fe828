import type { Peer } from './peers.js'
import { costOf, MAX_HELD, type Presence, type PresenceChanges, type RemotePresence } from './presence.js'
import type { PresenceDelta } from './presence-envelopes.js'

/** No group has this version. */
const NO_VERSION = 2 ** 48 - 1

/** What is known of one node in a group. There is nothing of a node that has no members in it. */
interface Known {
  version: number
  readonly members: Map<number, string>
}

/** A group of which this node follows who is present at other nodes. */
export interface View {
  readonly name: string
  readonly key: string
  /** Whether changes arrive. */
  isFollowed: boolean
  known: Map<Peer, Known> | undefined
}

/** Who is present at other nodes, in the groups that this node follows. Each difference is reported once. */
export class PresenceViews {
  readonly #views = new Map<string, View>()
  readonly #onChange: (name: string, changes: PresenceChanges) => void
  readonly #maxHeld: number
  #held = 0

  constructor(onChange: (name: string, changes: PresenceChanges) => void, maxHeld: number = MAX_HELD) {
    this.#onChange = onChange
    this.#maxHeld = maxHeld
  }

  [Symbol.iterator](): IterableIterator<View> {
    return this.#views.values()
  }

  find(key: string): View | undefined {
    return this.#views.get(key)
  }

  add(name: string, key: string): View {
    const view: View = { name, key, isFollowed: false, known: undefined }
    this.#views.set(key, view)
    return view
  }

  /** Ends a view. Nobody has left because of that. */
  remove(view: View): void {
    view.isFollowed = false
    this.#views.delete(view.key)
    for (const { members } of view.known?.values() ?? []) {
      for (const text of members.values()) this.#held -= costOf(text)
    }
    view.known = undefined
  }

  /** Whether as much may be added. */
  hasRoom(cost: number): boolean {
    return this.#held + cost <= this.#maxHeld
  }

  /** The version that is known of a node; 0 if it has no members in the group. */
  versionOf({ known }: View, peer: Peer): number {
    return known?.get(peer)?.version ?? 0
  }

  members({ known }: View): RemotePresence[] {
    return Array.from(known ?? [], ([peer, { members }]) => remote(peer, members)).flat()
  }

  /** Applies changes to the version before. Returns `false` if there is no room for them. */
  apply(view: View, peer: Peer, { version, joined, left }: PresenceDelta): boolean {
    if (!this.hasRoom(sum(joined))) return false
    const members = view.known?.get(peer)?.members ?? new Map<number, string>()
    const gone = new Map<number, string>()
    const come: Presence[] = []
    for (const { id, text } of joined) if (this.#set(members, id, text)) come.push({ id, text })
    for (const id of left) {
      const text = members.get(id)
      if (text === undefined) continue
      this.#delete(members, id, text)
      gone.set(id, text)
    }
    this.#store(view, peer, version, members)
    this.#report(view, peer, come, gone)
    return true
  }

  /** Replaces what is known of a node. Returns `false` if there is no room for it. */
  replace(view: View, peer: Peer, version: number, members: readonly Presence[]): boolean {
    const before = view.known?.get(peer)?.members ?? new Map<number, string>()
    const gone = new Map(before)
    for (const { id } of members) gone.delete(id)
    for (const [id, text] of gone) this.#delete(before, id, text)
    const hasRoom = this.hasRoom(sum(members.filter(({ id, text }) => before.get(id) !== text)))
    const come = hasRoom ? members.filter(({ id, text }) => this.#set(before, id, text)) : []
    this.#store(view, peer, hasRoom ? version : NO_VERSION, before)
    this.#report(view, peer, come, gone)
    return hasRoom
  }

  /** Removes the members of a node from all groups. */
  forget(peer: Peer): void {
    for (const view of this.#views.values())
      if (view.known?.has(peer) === true) this.replace(view, peer, 0, [])
  }

  #set(members: Map<number, string>, id: number, text: string): boolean {
    const before = members.get(id)
    if (before === text) return false
    this.#held += costOf(text) - (before === undefined ? 0 : costOf(before))
    members.set(id, text)
    return true
  }

  #delete(members: Map<number, string>, id: number, text: string): void {
    this.#held -= costOf(text)
    members.delete(id)
  }

  #store(view: View, peer: Peer, version: number, members: Map<number, string>): void {
    const known = view.known?.get(peer)
    if (members.size === 0) view.known?.delete(peer)
    else if (known !== undefined) known.version = version
    else {
      view.known ??= new Map()
      view.known.set(peer, { version, members })
    }
  }

  #report(view: View, peer: Peer, come: readonly Presence[], gone: ReadonlyMap<number, string>): void {
    if (come.length + gone.size === 0) return
    const joined = come.map(({ id, text }) => ({ node: peer.id, id, text }))
    this.#onChange(view.name, { joined, left: remote(peer, gone) })
  }
}

function remote({ id: node }: Peer, members: ReadonlyMap<number, string>): RemotePresence[] {
  return Array.from(members, ([id, text]) => ({ node, id, text }))
}

function sum(members: readonly Presence[]): number {
  return members.reduce((total, { text }) => total + costOf(text), 0)
}
