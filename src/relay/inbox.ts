/** How much is handled in a turn of the event loop, so that sockets are served too. */
const MESSAGES_PER_TURN = 256
const BYTES_PER_TURN = 1024 * 1024
/**
 * The most bytes in the queue. The broker closes a connection that it cannot write to, so messages are read and queued
 * here.
 */
const MAX_WAITING_BYTES = 64 * 1024 * 1024

/** A queued item: a message of a channel, or an action in its place among them. */
interface Item {
  readonly channel: string
  readonly payload: Buffer
  readonly action: (() => void) | undefined
  /** Whether the payload is only the head of what arrived. */
  readonly isCut: boolean
}

/** The receiver of an inbox. */
export type Handler = (channel: string, payload: Buffer, isCut: boolean) => void

const NOTHING = Buffer.alloc(0)

/** Queues the messages of the subscriber and passes them on in order, a bounded number in each turn. */
export class Inbox {
  readonly #handle: Handler
  readonly #headLength: number
  #items: Item[] = []
  #next = 0
  #bytes = 0
  #isScheduled = false

  /** @param headLength - the bytes that are kept of a message for which there is no room */
  constructor(headLength: number, handle: Handler) {
    this.#headLength = headLength
    this.#handle = handle
  }

  push(channel: string, payload: Buffer): void {
    const isCut = this.#bytes + payload.length > MAX_WAITING_BYTES
    const kept = isCut ? Buffer.from(payload.subarray(0, this.#headLength)) : payload
    this.#bytes += kept.length
    this.#add({ channel, payload: kept, action: undefined, isCut })
  }

  /** Calls an action after everything that has arrived so far. */
  inOrder(action: () => void): void {
    this.#add({ channel: '', payload: NOTHING, action, isCut: false })
  }

  clear(): void {
    this.#items = []
    this.#next = 0
    this.#bytes = 0
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
      this.#run()
    })
  }

  #run(): void {
    let messages = 0
    let bytes = 0
    while (this.#next < this.#items.length && messages < MESSAGES_PER_TURN && bytes < BYTES_PER_TURN) {
      const { channel, payload, action, isCut } = this.#items[this.#next++]!
      messages++
      bytes += payload.length
      this.#bytes -= payload.length
      if (action === undefined) this.#handle(channel, payload, isCut)
      else action()
    }
    if (this.#next < this.#items.length) this.#schedule()
    if (this.#next === this.#items.length) this.clear()
    else if (this.#next > 4096) {
      this.#items.splice(0, this.#next)
      this.#next = 0
    }
  }
}
