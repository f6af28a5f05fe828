/** How much is handled in a turn of the event loop, so that sockets are served too. */
const MESSAGES_PER_TURN = 256
const BYTES_PER_TURN = 1024 * 1024
/**
 * The most bytes in the queue. The broker closes a connection that it cannot write to, so messages are read and queued
 * here.
 */
const MAX_WAITING_BYTES = 64 * 1024 * 1024
/**
 * The most items in the queue, because each takes memory besides its bytes. When there are more, the oldest is handled for
 * each that arrives: then they are read no faster than they are handled.
 */
const MAX_WAITING = 100_000

/** A queued item: a message of a channel, or an action in its place among them. */
interface Item {
  readonly channel: string
  readonly payload: Buffer
  readonly action: (() => void) | undefined
  /** Whether the payload is only the head of what arrived. */
  readonly isCut: boolean
}

/** The receiver of an inbox. */
type Handler = (channel: string, payload: Buffer, isCut: boolean) => void

const NOTHING = Buffer.alloc(0)

/**
 * Passes on the messages of the subscriber in order: at once, or after a queue when there are more than a turn of the
 * event loop may handle.
 */
export class Inbox {
  readonly #handle: Handler
  readonly #headLength: number
  #items: Item[] = []
  #next = 0
  #bytes = 0
  /** What has been handled since the last round. */
  #handled = { messages: 0, bytes: 0 }
  #isScheduled = false
  #isHandling = false

  /** @param headLength - the bytes that are kept of a message for which there is no room */
  constructor(headLength: number, handle: Handler) {
    this.#headLength = headLength
    this.#handle = handle
  }

  push(channel: string, payload: Buffer): void {
    if (this.#items.length === 0 && !this.#isHandling && this.#hasRoom()) {
      this.#pass(channel, payload, false)
      // Not in each turn: a round costs 2 µs.
      if (this.#handled.messages * 2 > MESSAGES_PER_TURN || this.#handled.bytes * 2 > BYTES_PER_TURN) {
        this.#schedule()
      }
      return
    }
    const isCut = this.#bytes + payload.length > MAX_WAITING_BYTES
    const kept = isCut ? Buffer.from(payload.subarray(0, this.#headLength)) : payload
    this.#bytes += kept.length
    this.#add({ channel, payload: kept, action: undefined, isCut })
    if (this.#items.length - this.#next > MAX_WAITING && !this.#isHandling) this.#takeNext()
  }

  /** Calls an action in a later turn, after everything that has arrived so far. */
  inOrder(action: () => void): void {
    this.#add({ channel: '', payload: NOTHING, action, isCut: false })
  }

  clear(): void {
    this.#items = []
    this.#next = 0
    this.#bytes = 0
  }

  #hasRoom(): boolean {
    return this.#handled.messages < MESSAGES_PER_TURN && this.#handled.bytes < BYTES_PER_TURN
  }

  #pass(channel: string, payload: Buffer, isCut: boolean): void {
    this.#handled.messages++
    this.#handled.bytes += payload.length
    this.#isHandling = true
    try {
      this.#handle(channel, payload, isCut)
    } finally {
      this.#isHandling = false
    }
  }

  #add(item: Item): void {
    this.#items.push(item)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#handled = { messages: 0, bytes: 0 }
      this.#run()
    })
  }

  #run(): void {
    while (this.#next < this.#items.length && this.#hasRoom()) this.#takeNext()
    if (this.#next < this.#items.length) this.#schedule()
    if (this.#next === this.#items.length) this.clear()
    else if (this.#next > 4096) {
      this.#items.splice(0, this.#next)
      this.#next = 0
    }
  }

  #takeNext(): void {
    const { channel, payload, action, isCut } = this.#items[this.#next++]!
    this.#bytes -= payload.length
    if (action === undefined) this.#pass(channel, payload, isCut)
    else {
      this.#handled.messages++
      action()
    }
  }
}
