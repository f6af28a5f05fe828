import { MAX_ENTRIES, type HeartbeatPart } from './control.js'
import type { Peer } from './peers.js'
import type { Presence } from './presence.js'
import type { PresenceViews, View } from './presence-views.js'

/** Bytes of keys in one query. */
const MAX_QUERY = 64 * 1024
/** Bytes of a group in a query besides its key. */
const GROUP_HEAD = 8
/** Groups that are asked for one by one. Beyond that, all are. */
const MAX_DOUBTED = 10_000
/** The most heartbeats until a query is repeated. */
const MAX_PATIENCE = 16
/** Heartbeats after which all groups are compared again, in case something was forged. */
const COMPARE_AFTER = 60

/** A query that is not yet answered completely. */
export interface Asked {
  readonly number: number
  readonly views: readonly View[]
  /** The same, with versions that were heard of meanwhile. */
  readonly heard: Map<View, number>
  /** The part of the answer that comes next. */
  part: number
  /** The members so far of a group whose list is divided. */
  members: Presence[]
  /** The memory that they take. */
  cost: number
  /** Heartbeats since it was sent. */
  age: number
}

/** In which groups it is not known for certain who is present at one other node, and what that node has been asked. */
export class PresenceSync {
  readonly peer: Peer
  /** Whether its members were removed because it was silent. */
  isGone = false
  readonly #views: PresenceViews
  /** The groups that have not been asked for since the restart, without a list of them. */
  #rest: Iterator<View, undefined> | undefined
  readonly #doubted = new Set<View>()
  /** Groups for whose members there is no room. */
  readonly #refused = new Set<View>()
  #asked: Asked | undefined
  #patience = 1
  /** The number of its last heartbeat. */
  #beat: number | undefined
  #age = 0

  constructor(peer: Peer, views: PresenceViews) {
    this.peer = peer
    this.#views = views
    this.restart()
  }

  get asked(): Asked | undefined {
    return this.#asked
  }

  /** Nothing is known for certain any more. */
  restart(): void {
    this.#rest = this.#views[Symbol.iterator]()
    this.#doubted.clear()
    this.#refused.clear()
    this.#asked = undefined
    this.#patience = 1
  }

  /** One group is not known for certain. A version that was heard of has raised the doubt. */
  doubt(view: View, version = 0): void {
    if (this.#refused.has(view)) return
    const heard = this.#asked?.heard.get(view)
    if (heard !== undefined) {
      // The answer that is awaited contains it, if it comes in order.
      this.#asked?.heard.set(view, Math.max(heard, version))
      return
    }
    this.#doubted.add(view)
    if (this.#doubted.size > MAX_DOUBTED) this.restart()
  }

  /** There is no room for the members of a group. It is asked for again when all are. */
  refuse(view: View): void {
    this.#refused.add(view)
  }

  /** Whether an answer about a group is to come. */
  isAwaited(view: View): boolean {
    return this.#rest !== undefined || this.#doubted.has(view) || this.#asked?.heard.has(view) === true
  }

  isDoubted(view: View): boolean {
    return this.#refused.has(view) || this.isAwaited(view)
  }

  /** Whether a heartbeat, or a part of one, repeats what was received. If not, some may have been lost. */
  follows({ number, previous }: HeartbeatPart): boolean {
    const last = this.#beat
    this.#beat = Math.max(number, last ?? 0)
    return last !== undefined && previous <= last
  }

  /** A heartbeat has passed. A query that was not answered is repeated, less and less often. */
  tick(): void {
    if (this.#asked !== undefined && ++this.#asked.age >= this.#patience) {
      this.#patience = Math.min(MAX_PATIENCE, 2 * this.#patience)
      this.#giveBack(this.#asked.views)
    }
    if (++this.#age % COMPARE_AFTER === 0 && this.#rest === undefined && this.#asked === undefined)
      this.restart()
  }

  /** The groups to ask for next. They count as asked. */
  next(number: number): Asked | undefined {
    if (this.#asked !== undefined) return undefined
    // A group may be doubted and not yet asked for.
    const heard = new Map<View, number>()
    let room = MAX_QUERY
    const take = (view: View): void => {
      if (!view.isFollowed) return
      heard.set(view, 0)
      room -= GROUP_HEAD + Buffer.byteLength(view.key)
    }
    for (const view of this.#doubted) {
      if (heard.size === MAX_ENTRIES || room < 0) break
      this.#doubted.delete(view)
      take(view)
    }
    while (this.#rest !== undefined && heard.size < MAX_ENTRIES && room >= 0) {
      const next = this.#rest.next()
      if (next.done === true) this.#rest = undefined
      else take(next.value)
    }
    if (heard.size > 0) {
      this.#asked = { number, views: [...heard.keys()], heard, part: 0, members: [], cost: 0, age: 0 }
    }
    return this.#asked
  }

  /** The answer is complete, for as many of the groups. */
  answered(covered: number): void {
    if (this.#asked === undefined) return
    const { views, heard } = this.#asked
    this.#giveBack(views.slice(covered))
    this.#patience = 1
    for (const [view, version] of heard) {
      if (this.#views.versionOf(view, this.peer) < version) this.doubt(view)
    }
  }

  #giveBack(views: readonly View[]): void {
    this.#asked = undefined
    for (const view of views) this.#doubted.add(view)
  }
}
