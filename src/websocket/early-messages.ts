import type { EventEmitter } from 'node:events'
import { type Connection } from '../connection/connection.js'
import { Hold } from '../connection/inbound.js'

/**
 * The longest times that messages wait for a consumer, in milliseconds: while an async listener is pending, and without
 * one. The peer's Close frame waits after the messages, so a missing consumer must not delay it without bound.
 */
const LONGEST_WORK = 10_000
const LONGEST_WAIT = 1000

/**
 * Holds the messages that arrive before the application can listen for them: while an async `'connection'` listener
 * is pending, or after `await connect()`. They wait until it has settled or a consumer is attached, whichever is first.
 * Beyond the read-ahead, backpressure stops the peer.
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

  /** Listens for a consumer. Called again if the application has removed all listeners. */
  listen(): void {
    this.#socket.off('newListener', this.#onNewListener)
    if (!this.#isOver) this.#socket.on('newListener', this.#onNewListener)
  }

  /** Also waits for the promise of another listener. */
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
    // 'newListener' is emitted before the listener is added. Released messages are delivered in the next tick.
    if (event === 'message') this.release()
  }
}
