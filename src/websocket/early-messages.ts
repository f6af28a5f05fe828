import type { EventEmitter } from 'node:events'
import { type Connection } from '../connection/connection.js'
import { Hold } from '../connection/inbound.js'

/**
 * The longest times that messages wait for a consumer, in milliseconds: while a listener is at work, and where there is
 * none to wait for. The peer's Close frame waits behind them, so that a consumer that never comes must not hold it up.
 */
const LONGEST_WORK = 10_000
const LONGEST_WAIT = 1000

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
  #isOver = false

  /** @param isAtWork - whether there is a promise to {@link waitFor} */
  constructor(socket: EventEmitter, inbound: Connection['inbound'], isAtWork: boolean) {
    this.#socket = socket
    this.#inbound = inbound
    inbound.hold(Hold.early)
    this.listen()
    this.#timer = setTimeout(this.release, isAtWork ? LONGEST_WORK : LONGEST_WAIT).unref()
  }

  /** Listens for a consumer; again, if the application has removed all listeners meanwhile. */
  listen(): void {
    this.#socket.off('newListener', this.#onNewListener)
    if (!this.#isOver) this.#socket.on('newListener', this.#onNewListener)
  }

  /** Waits for a listener's promise too. */
  waitFor(promise: Promise<unknown>): void {
    this.#pending++
    const settle = (): void => {
      if (--this.#pending === 0) this.release()
    }
    promise.then(settle, settle)
  }

  readonly release = (): void => {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#socket.off('newListener', this.#onNewListener)
    this.#inbound.release(Hold.early)
  }

  readonly #onNewListener = (event: string | symbol): void => {
    // It is emitted before the listener is added; what is released comes in the next tick.
    if (event === 'message') this.release()
  }
}
