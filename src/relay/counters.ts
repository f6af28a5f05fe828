import { Flag } from './envelope.js'

/** Heartbeats without a message after which a group's last number is sent for good. */
const IDLE_HEARTBEATS = 10
/** Heartbeats for which numbers are kept after that, for nodes that were disconnected meanwhile. */
const KEPT_HEARTBEATS = 30
/** The most groups whose numbers are kept; beyond that the node begins a new epoch. */
const MAX_COUNTERS = 250_000

/** The sequence numbers of a group that this node publishes to. */
interface Counter {
  readonly key: string
  /** The last number that was assigned. */
  top: number
  /** `top` at the last heartbeat that the broker has taken. */
  base: number
  /** Why numbers were skipped since the last heartbeat. */
  drops: number
  /** The same of the heartbeat that is not yet answered. */
  reported: number
  /** The heartbeat by which it was last used. */
  usedAt: number
  /** Whether the broker has taken the last number as such. */
  isFinal: boolean
}

/** The entry of a group in a heartbeat. */
export interface HeartbeatEntry {
  readonly key: string
  readonly base: number
  readonly top: number
  readonly flags: number
}

/** A heartbeat before it is encoded. */
export interface NodeHeartbeat {
  /** Counts the heartbeats of this node. */
  readonly number: number
  /** The last one that the broker has taken: `base` of an entry is what it said. */
  readonly previous: number
  readonly entries: readonly HeartbeatEntry[]
}

/** The sequence numbers of this node, one series for each group that it publishes to. */
export class Counters {
  readonly #counters = new Map<string, Counter>()
  /** Those used since the last heartbeat that the broker has taken. */
  readonly #touched = new Set<Counter>()
  #epoch = 1
  #number = 0
  #previous = 0

  get epoch(): number {
    return this.#epoch
  }

  get size(): number {
    return this.#counters.size
  }

  /** Assigns `count` numbers. Returns the first, with the flags of the batch. */
  take(key: string, count: number): { first: number; flags: number } {
    const counter = this.#counterOf(key)
    const first = counter.top + 1
    counter.top += count
    return { first, flags: (first === 1 ? Flag.start : 0) | counter.drops | counter.reported }
  }

  /** Skips `count` numbers for messages that are not published. */
  drop(key: string, count: number, reason: number): void {
    const counter = this.#counterOf(key)
    counter.top += count
    counter.drops |= reason
  }

  /** Messages that were published may be lost. */
  mayBeLost(key: string): void {
    this.#counterOf(key).drops |= Flag.droppedOffline
  }

  /** The last number assigned for a group; 0 if there is none. */
  topOf(key: string): number {
    return this.#counters.get(key)?.top ?? 0
  }

  /** The next heartbeat. Call {@link taken} when the broker has taken it. */
  heartbeat(): NodeHeartbeat {
    const number = ++this.#number
    const entries: HeartbeatEntry[] = []
    for (const counter of this.#touched) {
      counter.reported |= counter.drops
      counter.drops = 0
      entries.push(entryOf(counter, 0))
    }
    for (const counter of this.#counters.values()) {
      // In the order of their use: the rest is younger.
      if (number - counter.usedAt < IDLE_HEARTBEATS) break
      if (this.#touched.has(counter)) continue
      if (!counter.isFinal) entries.push(entryOf(counter, Flag.final))
      else if (number - counter.usedAt > KEPT_HEARTBEATS) this.#counters.delete(counter.key)
    }
    return { number, previous: this.#previous, entries }
  }

  /** The broker has taken a heartbeat. */
  taken({ number, entries }: NodeHeartbeat): void {
    this.#previous = number
    for (const { key, top, flags } of entries) {
      const counter = this.#counters.get(key)
      if (counter === undefined) continue
      counter.base = top
      counter.reported = 0
      if (counter.top !== top || counter.drops !== 0) continue
      this.#touched.delete(counter)
      if ((flags & Flag.final) !== 0) counter.isFinal = true
    }
  }

  #counterOf(key: string): Counter {
    let counter = this.#counters.get(key)
    if (counter?.usedAt !== this.#number) {
      // The map is in the order of use.
      if (counter !== undefined) this.#counters.delete(key)
      else if (this.#counters.size >= MAX_COUNTERS) this.#makeRoom()
      counter ??= { key, top: 0, base: 0, drops: 0, reported: 0, usedAt: 0, isFinal: false }
      counter.usedAt = this.#number
      this.#counters.set(key, counter)
    }
    counter.isFinal = false
    this.#touched.add(counter)
    return counter
  }

  #makeRoom(): void {
    for (const counter of this.#counters.values()) if (counter.isFinal) this.#counters.delete(counter.key)
    if (this.#counters.size < MAX_COUNTERS / 2) return
    this.#counters.clear()
    this.#touched.clear()
    this.#epoch++
  }
}

function entryOf({ key, base, top, reported }: Counter, flags: number): HeartbeatEntry {
  return { key, base, top, flags: flags | reported }
}
