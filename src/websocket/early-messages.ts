import type { EventEmitter } from 'node:events'
import { type Connection } from '../connection/connection.js'
import { Hold } from '../connection/inbound.js'

/** The longest time that messages wait for somebody to consume them, in milliseconds. */
const LONGEST_WAIT = 30_000

/**
 * Holds the messages that come before the application can have listened for them: while an async `'connection'` listener
 * is at work, or behind `await connect()`. They wait until it has settled or a consumer is attached, whichever is first;
 * what does not fit the bounded space waits at the peer.
 */
export class EarlyMessages {
  readonly #socket: EventEmitter
  readonly #inbound: Connection['inbound']
  readonly #timer: NodeJS.Timeout
  #pending = 0

  constructor(socket: EventEmitter, inbound: Connection['inbound']) {
    this.#socket = socket
    this.#inbound = inbound
    inbound.hold(Hold.early)
    socket.on('newListener', this.#onNewListener)
    // A consumer that never comes must not keep the peer's Close frame from being read.
    this.#timer = setTimeout(this.release, LONGEST_WAIT).unref()
  }

  /** Waits for a promise that may be followed by a consumer; without one, the consumer alone ends the wait. */
  waitFor(promise: Promise<unknown>): void {
    this.#pending++
    const settle = (): void => {
      if (--this.#pending === 0) this.release()
    }
    promise.then(settle, settle)
  }

  readonly release = (): void => {
    clearTimeout(this.#timer)
    this.#socket.off('newListener', this.#onNewListener)
    this.#inbound.release(Hold.early)
  }

  readonly #onNewListener = (event: string | symbol): void => {
    // It is emitted before the listener is added; what is released comes in the next tick.
    if (event === 'message') this.release()
  }
}
