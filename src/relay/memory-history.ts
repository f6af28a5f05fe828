import { randomBytes } from 'node:crypto'
import type { HistoryPosition } from './history.js'

/** The least number of histories that are kept, even without entries, so that a member that missed nothing is recovered. */
const KNOWN = 10_000
/** The shortest time between two sweeps, in milliseconds. */
const SHORTEST_SWEEP = 100

/** Names a series of offsets. */
export function newEpoch(): string {
  return `0${randomBytes(8).toString('hex')}`
}

interface Log<Entry> {
  readonly epoch: string
  top: number
  ttl: number
  /** By offset, without holes up to `top`. */
  readonly entries: Map<number, { readonly entry: Entry; readonly at: number }>
}

/** What follows an offset in a history. */
interface MemoryPage<Entry> {
  readonly epoch: string
  readonly top: number
  /** The offset of the first of `entries`, or of the next to come. */
  readonly first: number
  readonly entries: readonly Entry[]
}

/**
 * Histories in the memory of this process. Entries that are too old are removed when their history is used, and by a
 * timer that does not keep the process alive.
 */
export class MemoryHistory<Entry> {
  /** In the order of their last use. */
  readonly #logs = new Map<string, Log<Entry>>()
  #timer: NodeJS.Timeout | undefined
  /** As many as this are known when the next is too many. */
  #most = KNOWN
  /** When the timer fires. */
  #due = Infinity

  /** How many histories are known. */
  get size(): number {
    return this.#logs.size
  }

  /** Appends an entry. `make` gets its position before it is one. */
  append<Made extends Entry>(
    name: string,
    { size, ttl }: { readonly size: number; readonly ttl: number },
    make: (position: HistoryPosition) => Made,
  ): Made {
    const log = this.#use(name)
    const offset = log.top + 1
    const made = make({ offset, epoch: log.epoch })
    const now = performance.now()
    log.top = offset
    log.ttl = ttl
    log.entries.set(offset, { entry: made, at: now })
    if (log.entries.size > size) log.entries.delete(offset - size)
    removeOld(log, now)
    this.#sweepAt(now, now + ttl)
    return made
  }

  /** Reads what is kept behind an offset. */
  read(name: string, after: number): MemoryPage<Entry> {
    const log = this.#use(name)
    removeOld(log, performance.now())
    const { epoch, top } = log
    const first = Math.min(top + 1, Math.max(after + 1, top - log.entries.size + 1))
    const entries: Entry[] = []
    for (let offset = first; offset <= top; offset++) entries.push(log.entries.get(offset)!.entry)
    return { epoch, top, first, entries }
  }

  #use(name: string): Log<Entry> {
    let log = this.#logs.get(name)
    if (log === undefined) {
      if (this.#logs.size >= this.#most) this.#makeRoom()
      log = { epoch: newEpoch(), top: 0, ttl: 0, entries: new Map() }
    } else this.#logs.delete(name)
    this.#logs.set(name, log)
    return log
  }

  /** Forgets the half of the empty histories that were not used for longest. */
  #makeRoom(): void {
    const empty = [...this.#logs].filter(([, { entries }]) => entries.size === 0)
    for (const [name] of empty.slice(0, Math.ceil(empty.length / 2))) this.#logs.delete(name)
    // Not again before so many have come that the search costs little for each.
    this.#most = Math.max(KNOWN, 2 * this.#logs.size)
  }

  #sweepAt(now: number, due: number): void {
    if (due >= this.#due) return
    clearTimeout(this.#timer)
    this.#due = due
    this.#timer = setTimeout(() => this.#sweep(), Math.max(SHORTEST_SWEEP, due - now)).unref()
  }

  #sweep(): void {
    const now = performance.now()
    let due = Infinity
    for (const log of this.#logs.values()) {
      removeOld(log, now)
      for (const { at } of log.entries.values()) {
        due = Math.min(due, at + log.ttl)
        break
      }
    }
    this.#due = Infinity
    this.#sweepAt(now, due)
  }
}

function removeOld({ entries, ttl }: Log<unknown>, now: number): void {
  for (const [offset, { at }] of entries) {
    if (now - at < ttl) return
    entries.delete(offset)
  }
}
