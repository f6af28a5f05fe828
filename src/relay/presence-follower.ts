import type { HeartbeatPart } from './control.js'
import type { HeartbeatEntry } from './counters.js'
import { Flag } from './envelope.js'
import type { Peer, Peers } from './peers.js'
import { costOf, type PresenceChanges, type RemotePresences } from './presence.js'
import type { PresenceDelta, PresenceQuery, PresenceRecord, PresenceState } from './presence-envelopes.js'
import { type Asked, PresenceSync } from './presence-sync.js'
import { PresenceViews, type View } from './presence-views.js'

/** What following the presence at other nodes requires from this one. */
interface PresenceFollowerOptions {
  readonly peers: Peers
  /** Milliseconds for which `members()` waits for other nodes. */
  readonly timeout: number
  readonly send: (node: string, query: PresenceQuery) => void
  readonly changed: (name: string, changes: PresenceChanges) => void
  /** The memory that the members of other nodes may take. */
  readonly maxHeld?: number
}

/**
 * Follows who is present at other nodes, in the groups that have members here. Each node sends its changes to the group,
 * with the version before and behind them, and its heartbeats contain the versions. What does not fit is asked for.
 */
export class PresenceFollower {
  readonly #options: PresenceFollowerOptions
  readonly #views: PresenceViews
  readonly #syncs = new Map<Peer, PresenceSync>()
  /** Calls of `members()` that wait for answers. */
  readonly #waiting = new Map<View, Set<() => void>>()
  #isUp = false
  #isScheduled = false
  #number = 0

  constructor(options: PresenceFollowerOptions) {
    this.#options = options
    this.#views = new PresenceViews(options.changed, options.maxHeld)
  }

  find(key: string): View | undefined {
    return this.#views.find(key)
  }

  /** Begins to follow a group. It is asked for when {@link ready} says that its changes arrive. */
  follow(name: string, key: string): void {
    if (this.#views.find(key) === undefined) this.#views.add(name, key)
  }

  /** The changes of a group arrive from now on. */
  ready(key: string): void {
    const view = this.#views.find(key)
    if (view === undefined) return
    view.isFollowed = true
    for (const sync of this.#syncs.values()) sync.doubt(view)
    this.#askSoon()
  }

  unfollow(key: string): void {
    const view = this.#views.find(key)
    if (view === undefined) return
    this.#views.remove(view)
    this.#finish(view)
  }

  /** Another node is heard for the first time. */
  appeared(peer: Peer): void {
    this.#syncs.set(peer, new PresenceSync(peer, this.#views))
    this.#askSoon()
  }

  /** Another node has left, or was forgotten. */
  forget(peer: Peer): void {
    this.#syncs.delete(peer)
    this.#views.forget(peer)
    this.#check()
  }

  /** The connection works. Something may have happened before. */
  up(): void {
    this.#isUp = true
    for (const sync of this.#syncs.values()) sync.restart()
    this.#askSoon()
  }

  /** Nothing arrives any more. */
  disconnected(): void {
    this.#isUp = false
    for (const view of this.#views) view.isFollowed = false
    for (const view of [...this.#waiting.keys()]) this.#finish(view)
  }

  delta(key: string, peer: Peer, delta: PresenceDelta): void {
    const [view, sync] = [this.#views.find(key), this.#syncs.get(peer)]
    if (view?.isFollowed !== true || sync === undefined) return
    if (delta.previous !== this.#views.versionOf(view, peer)) sync.doubt(view, delta.version)
    else if (!this.#views.apply(view, peer, delta)) sync.refuse(view)
    this.#askSoon()
  }

  /** Compares the versions in a heartbeat with those that are known. */
  heartbeat(peer: Peer, part: HeartbeatPart): void {
    const sync = this.#syncs.get(peer)
    if (sync === undefined) return
    if (sync.follows(part)) {
      for (const entry of part.entries) if ((entry.flags & Flag.presence) !== 0) this.#compare(sync, entry)
    } else sync.restart()
    this.#askSoon()
  }

  /** Takes a part of an answer. Returns `false` if it answers something else than was asked. */
  state(peer: Peer, { number, part, covered, records }: PresenceState): boolean {
    const sync = this.#syncs.get(peer)
    const asked = sync?.asked
    // Asked again since, or a part in front was lost: then it will be asked again.
    if (sync === undefined || asked?.number !== number || asked.part !== part) return true
    asked.part++
    for (const record of records) if (!this.#record(sync, asked, record)) return false
    if (covered > 0) sync.answered(covered)
    this.#check()
    this.#askSoon()
    return true
  }

  /** Called with each heartbeat of this node. */
  tick(): void {
    const { peers } = this.#options
    for (const sync of this.#syncs.values()) {
      if (!peers.isPresent(sync.peer)) this.#lose(sync)
      else if (peers.isAlive(sync.peer)) {
        sync.isGone = false
        sync.tick()
      }
    }
    this.#check()
    this.#askSoon()
  }

  /** The members of a group at other nodes, as soon as they are known, or after the timeout. */
  async members(view: View): Promise<RemotePresences> {
    if (!this.#isSettled(view)) await this.#settled(view)
    const missing = [...this.#syncs.values()].filter((sync) => !this.#isKnown(view, sync))
    return { members: this.#views.members(view), missing: missing.map(({ peer }) => peer.id) }
  }

  close(): void {
    this.disconnected()
    for (const view of this.#views) this.#views.remove(view)
    this.#syncs.clear()
  }

  #compare(sync: PresenceSync, { key, base: count, top: version }: HeartbeatEntry): void {
    const view = this.#views.find(key)
    if (view?.isFollowed !== true) return
    if (this.#views.versionOf(view, sync.peer) !== (count === 0 ? 0 : version)) sync.doubt(view, version)
  }

  #record(sync: PresenceSync, asked: Asked, { index, version, isEnd, members }: PresenceRecord): boolean {
    const view = asked.views[index]
    if (view === undefined) return false
    for (const { text } of members) asked.cost += costOf(text)
    // What is too much is not kept until its end.
    const hasRoom = this.#views.hasRoom(asked.cost)
    if (hasRoom) asked.members.push(...members)
    else asked.members = []
    if (!isEnd) return true
    const list = asked.members
    asked.members = []
    asked.cost = 0
    // Nobody follows it any more.
    if (!view.isFollowed) return true
    if (!hasRoom || !this.#views.replace(view, sync.peer, version, list)) sync.refuse(view)
    return true
  }

  /** A node has been silent for so long that its members count as gone. */
  #lose(sync: PresenceSync): void {
    if (sync.isGone) return
    sync.isGone = true
    sync.restart()
    this.#views.forget(sync.peer)
  }

  #isKnown(view: View, sync: PresenceSync): boolean {
    return view.isFollowed && this.#options.peers.isAlive(sync.peer) && !sync.isDoubted(view)
  }

  /** Whether no answer is pending. */
  #isSettled(view: View): boolean {
    if (!this.#isUp) return true
    if (!view.isFollowed) return this.#views.find(view.key) !== view
    for (const sync of this.#syncs.values()) {
      if (this.#options.peers.isAlive(sync.peer) && sync.isAwaited(view)) return false
    }
    return true
  }

  #settled(view: View): Promise<void> {
    return new Promise((resolve) => {
      const { timeout } = this.#options
      const waiting = this.#waiting.get(view) ?? new Set()
      this.#waiting.set(view, waiting)
      const finish = (): void => {
        clearTimeout(timer)
        waiting.delete(finish)
        resolve()
      }
      const timer = timeout === Infinity ? undefined : setTimeout(finish, timeout)
      waiting.add(finish)
    })
  }

  #check(): void {
    for (const view of this.#waiting.keys()) if (this.#isSettled(view)) this.#finish(view)
  }

  #finish(view: View): void {
    const waiting = this.#waiting.get(view)
    this.#waiting.delete(view)
    for (const finish of waiting ?? []) finish()
  }

  #askSoon(): void {
    if (this.#isScheduled || !this.#isUp) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      if (this.#isUp) this.#ask()
    })
  }

  #ask(): void {
    const { peers, send } = this.#options
    for (const sync of this.#syncs.values()) {
      if (!peers.isAlive(sync.peer)) continue
      const asked = sync.next((this.#number + 1) % 2 ** 32)
      if (asked === undefined) continue
      this.#number = asked.number
      const groups = asked.views.map((view) => ({
        key: view.key,
        version: this.#views.versionOf(view, sync.peer),
      }))
      send(sync.peer.id, { number: asked.number, groups })
    }
    this.#check()
  }
}
