import { toError } from '../options/thrown.js'
import { checkPosition, type HistoryPosition } from '../relay/history.js'
import { encodePayload, type HistoryPayload } from '../relay/history-payload.js'
import type { PublisherCounts } from '../relay/publisher.js'
import type { PreparedMessage } from '../sending/prepared-message.js'
import { Queue } from '../sending/queue.js'
import type { Exception } from './broadcast.js'
import { ConnectionLost } from './history.js'
import type { PublishResult } from './publish-result.js'

/** What is appended in one step: appending much at once would block the broker. */
const MAX_BATCH = 256
const MAX_BATCH_BYTES = 64 * 1024
/** Milliseconds after which a message that is in the history and has not arrived is read, and given up. */
const LATE_AFTER = 1000
/** What may be unanswered by the broker, and wait for what is. */
const MAX_UNANSWERED = 10_000
const MAX_UNANSWERED_BYTES = 8 * 1024 * 1024

/** What a publisher of histories requires from its hub. */
interface PublisherOptions {
  /** The id of this node. */
  readonly node: () => string
  readonly canPublish: () => boolean
  readonly append: (name: string, entries: readonly Buffer[]) => Promise<HistoryPosition>
  /** Whether a message will be delivered here, so that it can be waited for. */
  readonly isAwaited: (name: string, position: HistoryPosition) => boolean
  /** A message has not arrived for long. */
  readonly late: (name: string) => void
  /** The broker refuses to append. */
  readonly refused: (error: Error) => void
}

/** A message of this process. */
interface Publication {
  readonly name: string
  readonly serial: number
  readonly bytes: Buffer
  readonly except: Exception
  readonly done: (result: PublishResult) => void
  /** When it was delivered here. */
  counts: { readonly delivered: number; readonly skipped: number } | undefined
  /** When it is in the history. */
  position: HistoryPosition | undefined
}

/** The messages of a group that wait for the broker's answer to those before them. */
type Unsent = Publication[]

/**
 * Appends messages to histories: those of a turn of the event loop together, and one batch of a group after the other, so
 * that they stay in order whatever becomes of a batch.
 */
export class HistoryPublisher {
  readonly counts: PublisherCounts = { published: 0, dropped: 0 }
  readonly #options: PublisherOptions
  readonly #queues = new Map<string, Unsent>()
  /** By serial number: those that are not in a history, or not delivered here. */
  readonly #publications = new Map<number, Publication>()
  /** By group: those that are in its history, and not delivered here. */
  readonly #awaited = new Map<string, Queue<Publication>>()
  #bytes = 0
  #serial = 0
  #whenEmpty: (() => void)[] = []

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  publish(name: string, message: PreparedMessage, except: Exception): Promise<PublishResult> {
    const { node, canPublish } = this.#options
    const { length } = message.payload
    const isFull =
      this.#publications.size >= MAX_UNANSWERED ||
      (this.#bytes > 0 && this.#bytes + length > MAX_UNANSWERED_BYTES)
    if (!canPublish() || isFull) {
      this.counts.dropped++
      return Promise.resolve({ delivered: 0, skipped: 0, relayed: false })
    }
    const serial = ++this.#serial
    const { payload, isBinary, compress } = message
    const bytes = encodePayload({ node: node(), serial, payload, isBinary, compress })
    return new Promise((done) => {
      const publication = { name, serial, bytes, except, done, counts: undefined, position: undefined }
      this.#publications.set(serial, publication)
      this.#bytes += bytes.length
      this.#enqueue(publication)
    })
  }

  /** The members whom a message excludes, if it is one of this process. */
  exceptionOf({ node, serial }: HistoryPayload): Exception {
    return node === this.#options.node() ? this.#publications.get(serial)?.except : undefined
  }

  /** A message was delivered here. Returns whether it is one of this process. */
  delivered({ node, serial }: HistoryPayload, delivered: number, skipped: number): boolean {
    if (node !== this.#options.node()) return false
    const publication = this.#publications.get(serial)
    if (publication === undefined) return true
    publication.counts = { delivered, skipped }
    if (publication.position !== undefined) this.#settle(publication)
    return true
  }

  /** What is in the history of any group and not yet delivered here is not waited for any more. */
  releaseAll(): void {
    for (const name of [...this.#awaited.keys()]) this.#releaseIf(name, () => true)
  }

  /** The same for one group, up to a position: what is behind it, in its epoch, will be delivered. */
  release(name: string, position: HistoryPosition): void {
    this.#releaseIf(name, ({ epoch, offset }) => epoch !== position.epoch || offset <= position.offset)
  }

  /** A group has got to a position. A message that should have stood there is not in the history any more. */
  reached(name: string, { epoch, offset }: HistoryPosition): void {
    const awaited = this.#awaited.get(name)
    if (awaited === undefined) return
    // In the order of their positions: called for each message, this must not look at all that wait.
    for (let next = awaited.first; next !== undefined; next = awaited.first) {
      const position = next.position!
      const isPassed = position.epoch === epoch && position.offset <= offset
      if (!isPassed && this.#publications.has(next.serial)) return
      awaited.shift()
      this.#settle(next)
    }
    this.#awaited.delete(name)
  }

  /** The connection is lost. What is unanswered may be in the history or not. */
  disconnected(): void {
    this.#queues.clear()
    this.#awaited.clear()
    for (const publication of this.#publications.values()) this.#settle(publication)
    this.#tellEmpty()
  }

  /** Settles when nothing waits for the broker. */
  answered(): Promise<void> {
    if (this.#queues.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenEmpty.push(resolve))
  }

  #enqueue(publication: Publication): void {
    const { name } = publication
    const queue = this.#queues.get(name)
    if (queue !== undefined) {
      queue.push(publication)
      return
    }
    const created = [publication]
    this.#queues.set(name, created)
    setImmediate(() => void this.#appendAll(name, created))
  }

  async #appendAll(name: string, queue: Unsent): Promise<void> {
    while (queue.length > 0 && this.#queues.get(name) === queue) {
      const batch = nextBatch(queue)
      try {
        const entries = batch.map(({ bytes }) => bytes)
        const last = checkPosition(await this.#options.append(name, entries))
        if (last.offset < entries.length)
          throw new TypeError("The broker's reply is not the position of the last message")
        if (this.#queues.get(name) === queue) this.#taken(batch, last)
      } catch (error) {
        // The relay may tell a little later that the connection is lost.
        await new Promise(setImmediate)
        const isRefused = this.#options.canPublish() && !(error instanceof ConnectionLost)
        if (isRefused) this.#options.refused(toError(error))
        for (const publication of batch) this.#settle(publication)
      }
    }
    if (this.#queues.get(name) === queue) this.#queues.delete(name)
    if (this.#queues.size === 0) this.#tellEmpty()
  }

  #taken(batch: readonly Publication[], { epoch, offset }: HistoryPosition): void {
    this.counts.published += batch.length
    const awaited: Publication[] = []
    for (const [index, publication] of batch.entries()) {
      publication.position = { epoch, offset: offset - batch.length + 1 + index }
      const isAwaited =
        publication.counts === undefined && this.#options.isAwaited(publication.name, publication.position)
      if (isAwaited) awaited.push(publication)
      else this.#settle(publication)
    }
    const { name } = batch[0]!
    if (awaited.length === 0) return
    const queue = this.#awaited.get(name) ?? new Queue()
    this.#awaited.set(name, queue)
    for (const publication of awaited) queue.push(publication)
    this.#watch(awaited)
  }

  /** Has messages looked for that do not arrive, and gives up: a history may have been lost since. */
  #watch(awaited: readonly Publication[], isLast = false): void {
    setTimeout(() => {
      const late = awaited.filter(({ serial }) => this.#publications.has(serial))
      if (isLast) for (const publication of late) this.#settle(publication)
      else if (late.length > 0) {
        this.#options.late(late[0]!.name)
        this.#watch(late, true)
      }
    }, LATE_AFTER).unref()
  }

  #releaseIf(name: string, isPassed: (position: HistoryPosition) => boolean): void {
    const awaited = this.#awaited.get(name)
    if (awaited === undefined) return
    const left = new Queue<Publication>()
    for (let next = awaited.shift(); next !== undefined; next = awaited.shift()) {
      if (isPassed(next.position!)) this.#settle(next)
      else if (this.#publications.has(next.serial)) left.push(next)
    }
    if (left.length === 0) this.#awaited.delete(name)
    else this.#awaited.set(name, left)
  }

  #settle(publication: Publication): void {
    if (!this.#publications.delete(publication.serial)) return
    this.#bytes -= publication.bytes.length
    const { counts, position } = publication
    const result = { delivered: 0, skipped: 0, ...counts, relayed: position !== undefined }
    publication.done(position === undefined ? result : { ...result, position })
  }

  #tellEmpty(): void {
    for (const resolve of this.#whenEmpty.splice(0)) resolve()
  }
}

/** Takes what is appended in one step. */
function nextBatch(waiting: Publication[]): readonly Publication[] {
  let count = 0
  let bytes = 0
  for (const publication of waiting) {
    bytes += publication.bytes.length
    if (count === MAX_BATCH || (count > 0 && bytes > MAX_BATCH_BYTES)) break
    count++
  }
  return waiting.splice(0, count)
}
