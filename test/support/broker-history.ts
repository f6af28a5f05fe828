import type { HistoryLimits, HistoryPage, HistoryPosition } from 'hubwire'

interface Log {
  epoch: string
  top: number
  entries: { bytes: Buffer; at: number }[]
}

let epochs = 0

/** The histories of a broker in memory, and what can go wrong with them. */
export class BrokerHistory {
  /** Entries that are read at once. */
  pageSize = 3
  readonly #logs = new Map<string, Log>()

  /** @param publish - what the broker does with each entry in the same step */
  append(
    channel: string,
    entries: readonly Buffer[],
    limits: HistoryLimits,
    publish: (payload: Buffer) => void,
  ): HistoryPosition {
    const log = this.#open(channel, limits)
    for (const bytes of entries) {
      log.entries.push({ bytes, at: performance.now() })
      log.top++
      publish(Buffer.concat([Buffer.from(`${log.epoch}:${log.top}:`), bytes]))
    }
    log.entries.splice(0, log.entries.length - limits.size)
    return { epoch: log.epoch, offset: log.top }
  }

  read(channel: string, after: number, limits: HistoryLimits): HistoryPage {
    const { epoch, top, entries } = this.#open(channel, limits)
    const first = Math.max(after + 1, top - entries.length + 1)
    const page = entries.slice(first - top - 1 + entries.length).slice(0, this.pageSize)
    if (first > top) return { epoch, top, first: top + 1, entries: [] }
    return { epoch, top, first, entries: page.map(({ bytes }) => bytes) }
  }

  has(channel: string): boolean {
    return this.#logs.has(channel)
  }

  /** Forgets everything, as a broker without persistence does when it is restarted. */
  clear(): void {
    this.#logs.clear()
  }

  /** Loses the last entries, as a replica that takes over too early does. */
  fallBack(channel: string, count: number): void {
    const log = this.#logs.get(channel)!
    const lost = Math.min(count, log.top)
    log.top -= lost
    log.entries.splice(Math.max(0, log.entries.length - lost))
  }

  #open(channel: string, { ttl, seen }: HistoryLimits): Log {
    let log = this.#logs.get(channel)
    if (log === undefined || (seen?.epoch === log.epoch && log.top < seen.offset)) {
      log = { epoch: `0epoch-${++epochs}`, top: 0, entries: [] }
      this.#logs.set(channel, log)
    }
    const oldest = performance.now() - ttl
    log.entries = log.entries.filter(({ at }) => at > oldest)
    return log
  }
}
