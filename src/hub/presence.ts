import { checkOptions } from '../options/checks.js'
import { describe } from '../options/describe.js'
import { checkNames } from '../options/spelling.js'
import { toError } from '../options/thrown.js'
import { type LocalPresence, MAX_PRESENCE, type Presence } from '../relay/presence.js'
import type { PresenceChanges, RemotePresence } from '../relay/presence.js'
import type { PartitionedNode } from '../relay/partitioned-node.js'
import type { RelayNode } from '../relay/relay-node.js'
import { LOCAL } from './everywhere.js'
import type { Member } from './member.js'
import type { Memberships } from './memberships.js'

/** A value that JSON can express. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue }

/** How a member is added to a group. */
export interface AddOptions {
  /**
   * Makes the member present: {@link Group.members} lists it with this value in all processes, and the hubs emit
   * `'presence'`. Any value but `null` that `JSON.stringify` can express, of at most 4,096 bytes as JSON.
   */
  presence?: object | string | number | boolean | null | undefined
}

/** A member that is present in a group, in this process or another one. */
export interface PresentMember {
  /** Its id in the group, which is unique among all processes. A member that leaves and is added again gets another one. */
  id: string
  /** The id of its process, as in `hub.nodes()`. */
  node: string
  /** The value with which it was added, as JSON expresses it. */
  data: JsonValue
}

/** The members that are present in a group in all processes. */
export interface MembersResult {
  /** Those of this process first, in the order in which they were added. */
  members: PresentMember[]
  /** The ids of the nodes whose members may be out of date. The last known members of these nodes are listed. */
  missing: string[]
}

/** Members that joined a group or left it, in any process. */
export interface PresenceChange {
  /** The name of the group. */
  group: string
  /** Members that are now present, or have a new value. */
  joined: PresentMember[]
  /** Members that are no longer present, with their last value. */
  left: PresentMember[]
}

/** A member of this process. */
interface Entry {
  readonly id: number
  /** Its JSON. */
  text: string
  /** What others were told; `undefined` if nothing. */
  announced: string | undefined
  isPresent: boolean
}

/** What the presence in the groups of a hub requires from it. */
interface PresenceOptions {
  readonly memberships: Memberships
  readonly isObserved: () => boolean
  readonly emit: (change: PresenceChange) => void
}

/**
 * The members of a hub that are present in groups. The changes of a turn of the event loop are announced together, as one
 * event for each group, and one message to the other processes.
 */
export class HubPresence implements LocalPresence {
  /** The other processes, if there are any. */
  node: RelayNode | PartitionedNode | undefined
  readonly #options: PresenceOptions
  readonly #groups = new Map<string, Map<Member, Entry>>()
  #changed = new Map<string, Set<Entry>>()
  #announced: Promise<void> | undefined
  #id = 0

  constructor(options: PresenceOptions) {
    this.#options = options
    options.memberships.onRemoved = (name, member) => this.#removed(name, member)
  }

  /**
   * The JSON of the value in these options; `undefined` if there is none.
   *
   * @throws TypeError when JSON cannot express it
   * @throws RangeError when it is too long
   */
  textOf(options: AddOptions | null | undefined): string | undefined {
    checkOptions('group.add()', options, "{ presence: { name: 'Ada' } }")
    checkNames(options ?? {}, ['presence', 'since'])
    const data = options?.presence
    if (data === undefined || data === null) return undefined
    const text = toJson(data)
    const length = Buffer.byteLength(text)
    const limit = Math.min(MAX_PRESENCE, this.node?.maxPayload ?? Infinity)
    if (length <= limit) return text
    throw new RangeError(
      `presence may have ${limit} bytes as JSON; this value has ${length}: ` +
        'store longer data elsewhere and put a reference here',
    )
  }

  /** A member of a group describes itself by a text. */
  add(name: string, member: Member, text: string): void {
    // One that has closed did not become a member.
    if (this.#options.memberships.membersOf(name)?.has(member) !== true) return
    const entries = this.#groups.get(name) ?? new Map<Member, Entry>()
    this.#groups.set(name, entries)
    const entry = entries.get(member) ?? { id: ++this.#id, text, announced: undefined, isPresent: true }
    entries.set(member, entry)
    entry.text = text
    this.#announceSoon(name, entry)
  }

  /** The members of a group in all processes, as of the events so far. */
  async members(name: string): Promise<MembersResult> {
    if (this.#changed.has(name)) await this.#announced
    const remote = await this.node?.presence.members(name)
    const members = [...this.#ofThisNode(this.present(name)), ...(remote?.members ?? [])]
    return { members: members.map(toMember), missing: [...(remote?.missing ?? [])] }
  }

  *present(name: string): IterableIterator<Presence> {
    for (const { id, announced } of this.#groups.get(name)?.values() ?? []) {
      if (announced !== undefined) yield { id, text: announced }
    }
    for (const { id, announced, isPresent } of this.#changed.get(name) ?? []) {
      if (!isPresent && announced !== undefined) yield { id, text: announced }
    }
  }

  isObserved(): boolean {
    return this.#options.isObserved()
  }

  groupNames(): Iterable<string> {
    return this.#options.memberships.groupNames()
  }

  changed(group: string, { joined, left }: PresenceChanges): void {
    if (!this.isObserved()) return
    this.#options.emit({ group, joined: joined.map(toMember), left: left.map(toMember) })
  }

  #removed(name: string, member: Member): void {
    const entries = this.#groups.get(name)
    const entry = entries?.get(member)
    if (entries === undefined || entry === undefined) return
    entries.delete(member)
    if (entries.size === 0) this.#groups.delete(name)
    entry.isPresent = false
    this.#announceSoon(name, entry)
  }

  #announceSoon(name: string, entry: Entry): void {
    const entries = this.#changed.get(name) ?? new Set<Entry>()
    this.#changed.set(name, entries)
    entries.add(entry)
    this.#announced ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#announced = undefined
        this.#announce()
        resolve()
      })
    })
  }

  #announce(): void {
    const changed = this.#changed
    this.#changed = new Map()
    // Listeners may change further groups, so they are called only when everything has been published.
    const changes = Array.from(changed, ([name, entries]) => [name, this.#publish(name, entries)] as const)
    for (const [name, { joined, left }] of changes) {
      if (joined.length + left.length > 0) this.changed(name, { joined, left })
    }
  }

  #publish(name: string, entries: Iterable<Entry>): PresenceChanges {
    const joined: Presence[] = []
    const left: Presence[] = []
    for (const entry of entries) {
      const { id, text, announced, isPresent } = entry
      if (isPresent && announced !== text) joined.push({ id, text })
      else if (!isPresent && announced !== undefined) left.push({ id, text: announced })
      entry.announced = isPresent ? text : undefined
    }
    if (joined.length + left.length > 0) {
      const ids = left.map(({ id }) => id)
      this.node?.presence.publish(name, joined, ids, this.#groups.get(name)?.size ?? 0)
    }
    return { joined: this.#ofThisNode(joined), left: this.#ofThisNode(left) }
  }

  #ofThisNode(members: Iterable<Presence>): RemotePresence[] {
    const node = this.node?.id ?? LOCAL
    return Array.from(members, (member) => ({ ...member, node }))
  }
}

function toMember({ node, id, text }: RemotePresence): PresentMember {
  return { id: `${node}.${id}`, node, data: JSON.parse(text) as JsonValue }
}

/** @throws TypeError when JSON cannot express the value */
function toJson(data: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(data)
  } catch (failure) {
    throw new TypeError(`presence must be a value that JSON can express: ${toError(failure).message}`, {
      cause: failure,
    })
  }
  if (text !== undefined) return text
  throw new TypeError(`presence must be a value that JSON can express; it is ${describe(data)}`)
}
