import type { Channels } from './channels.js'
import type { Counters } from './counters.js'
import { encodeBatch, Flag, MAX_COUNT, type RelayedMessage } from './envelope.js'
import type { Relay } from './relay.js'

/** Bytes of payload that are published together. A longer message is published separately. */
const MAX_BATCH_BYTES = 64 * 1024
/** What may be unanswered by the broker. */
const MAX_UNANSWERED = 1024
const MAX_UNANSWERED_BYTES = 8 * 1024 * 1024
/** Milliseconds after which a publish that the broker has not answered is reported as not relayed. */
const ANSWER_TIMEOUT = 10_000

/** Called with whether the broker has taken a message. */
export type Done = (relayed: boolean) => void

interface Pending {
  readonly key: string
  readonly messages: RelayedMessage[]
  readonly done: Done[]
  bytes: number
}

interface Unanswered {
  readonly key: string
  readonly bytes: number
  readonly sentAt: number
  done: Done[]
}

/** Statistics of a publisher. */
export interface PublisherCounts {
  /** Messages given to the broker. */
  published: number
  /** Messages that stayed local: while disconnected, or because too many were unanswered. */
  dropped: number
}

/**
 * Collects the messages of a turn of the event loop by group, and publishes those of each group as one, because the
 * broker's cost is per message. Nothing waits for a connection, and nothing is published twice.
 */
export class Publisher {
  readonly counts: PublisherCounts = { published: 0, dropped: 0 }
  readonly #id: string
  readonly #relay: Relay
  readonly #channels: Channels
  readonly #counters: Counters
  readonly #open = new Map<string, Pending>()
  #batches: Pending[] = []
  #bytes = 0
  #isScheduled = false
  #isConnected = false
  readonly #unanswered = new Set<Unanswered>()
  #unansweredBytes = 0
  #whenAnswered: (() => void)[] = []

  constructor(id: string, relay: Relay, channels: Channels, counters: Counters) {
    this.#id = id
    this.#relay = relay
    this.#channels = channels
    this.#counters = counters
  }

  /** Whether messages can be published. */
  get isConnected(): boolean {
    return this.#isConnected
  }

  /** Messages that the broker has not answered. */
  get unanswered(): number {
    return this.#unanswered.size
  }

  connected(): void {
    this.#isConnected = true
  }

  /** Unanswered messages may be lost or not: they count as not relayed, and are not repeated. */
  disconnected(): void {
    this.#isConnected = false
    this.flush()
    for (const { key, done } of this.#unanswered) {
      this.#counters.mayBeLost(key)
      settle(done, false)
    }
    this.#unanswered.clear()
    this.#unansweredBytes = 0
    this.#tellAnswered()
  }

  publish(key: string, message: RelayedMessage, done?: Done): void {
    if (!this.#isConnected) {
      this.#counters.drop(key, 1, Flag.droppedOffline)
      this.counts.dropped++
      done?.(false)
      return
    }
    const { length } = message.payload
    let pending = this.#open.get(key)
    if (
      pending === undefined ||
      pending.bytes + length > MAX_BATCH_BYTES ||
      pending.messages.length === MAX_COUNT
    ) {
      pending = { key, messages: [], done: [], bytes: 0 }
      this.#open.set(key, pending)
      this.#batches.push(pending)
    }
    pending.messages.push(message)
    pending.bytes += length
    if (done !== undefined) pending.done.push(done)
    this.#bytes += length
    // No more can be unanswered, so no more need to be collected.
    if (this.#bytes > MAX_UNANSWERED_BYTES) this.flush()
    else if (!this.#isScheduled) {
      this.#isScheduled = true
      setImmediate(() => {
        this.#isScheduled = false
        this.flush()
      })
    }
  }

  /** Publishes everything collected, in this turn. */
  flush(): void {
    const batches = this.#batches
    this.#batches = []
    this.#open.clear()
    this.#bytes = 0
    for (const batch of batches) this.#send(batch)
  }

  /** Settles when the broker has answered everything, or the connection is lost. */
  answered(): Promise<void> {
    if (this.#unanswered.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenAnswered.push(resolve))
  }

  /** Reports messages that were not answered for long. Called periodically. */
  sweep(now: number): void {
    for (const unanswered of this.#unanswered) {
      if (now - unanswered.sentAt < ANSWER_TIMEOUT) break
      settle(unanswered.done, false)
      unanswered.done = []
    }
  }

  #send({ key, messages, bytes, done }: Pending): void {
    const reason = this.#reasonToDrop(bytes)
    if (reason !== 0) {
      this.#counters.drop(key, messages.length, reason)
      this.counts.dropped += messages.length
      settle(done, false)
      return
    }
    const { first, flags } = this.#counters.take(key, messages.length)
    const envelope = encodeBatch(this.#id, this.#counters.epoch, { first, flags, messages })
    const unanswered: Unanswered = { key, bytes, sentAt: performance.now(), done }
    this.#unanswered.add(unanswered)
    this.#unansweredBytes += bytes
    this.counts.published += messages.length
    this.#relay.publish(this.#channels.group(key), envelope).then(
      () => {
        this.#answered(unanswered, true)
      },
      () => {
        this.#answered(unanswered, false)
      },
    )
  }

  #reasonToDrop(bytes: number): number {
    if (!this.#isConnected) return Flag.droppedOffline
    const isFull =
      this.#unanswered.size >= MAX_UNANSWERED ||
      (this.#unanswered.size > 0 && this.#unansweredBytes + bytes > MAX_UNANSWERED_BYTES)
    return isFull ? Flag.droppedByLimit : 0
  }

  #answered(unanswered: Unanswered, isTaken: boolean): void {
    // It was reported when the connection was lost.
    if (!this.#unanswered.delete(unanswered)) return
    this.#unansweredBytes -= unanswered.bytes
    if (!isTaken) this.#counters.mayBeLost(unanswered.key)
    settle(unanswered.done, isTaken)
    if (this.#unanswered.size === 0) this.#tellAnswered()
  }

  #tellAnswered(): void {
    for (const resolve of this.#whenAnswered.splice(0)) resolve()
  }
}

function settle(done: readonly Done[], relayed: boolean): void {
  for (const one of done) one(relayed)
}
