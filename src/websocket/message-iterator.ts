import { CloseCode } from '../protocol/close-codes.js'
import type { CloseDetails } from '../connection/connection-events.js'

/** A message in a `for await` loop. */
export type MessageData = string | Buffer | ArrayBuffer

/** What a {@link MessageIterator} requires from its socket. @internal */
interface MessageSource {
  on(event: 'message', listener: (data: MessageData) => void): unknown
  off(event: 'message', listener: (data: MessageData) => void): unknown
  onceClosed(listener: (code: number, reason: string, details: CloseDetails) => void): void
  readonly readyState: number
  readonly CLOSED: number
}

interface Waiting {
  resolve(result: IteratorResult<MessageData, undefined>): void
  reject(cause: Error): void
}

const DONE = { value: undefined, done: true } as const

/**
 * The messages of a socket, one at a time. A message is delivered only while the loop waits for it, so none is lost when
 * the loop ends early. It ends when the connection closes, and throws the cause if the connection broke.
 */
class MessageIterator implements AsyncIterableIterator<MessageData, undefined, undefined> {
  readonly #source: MessageSource
  readonly #setIdle: (isIdle: boolean) => void
  readonly #onOver: () => void
  #waiting: Waiting[] = []
  #isIdle = false
  #isOver = false
  #cause: Error | undefined

  /**
   * @param setIdle - called with whether messages must be held, on each change
   * @param onOver - called once when the iterator takes no more messages
   */
  constructor(source: MessageSource, setIdle: (isIdle: boolean) => void, onOver: () => void) {
    this.#source = source
    this.#setIdle = setIdle
    this.#onOver = onOver
    this.listen()
    this.#idle(true)
  }

  /** Listens for messages. Called again if the application has removed all listeners. */
  listen(): void {
    this.#source.off('message', this.#onMessage)
    this.#source.on('message', this.#onMessage)
  }

  /** The connection is closed. */
  close(code: number, { cause, initiator }: Pick<CloseDetails, 'cause' | 'initiator'>): void {
    if (this.#isOver) return
    // A 1006 that the application's own terminate() causes is not an error.
    const isBroken = code === CloseCode.abnormal && initiator === 'remote'
    this.#cause = cause ?? (isBroken ? endedError() : undefined)
    this.#end()
  }

  async next(): Promise<IteratorResult<MessageData, undefined>> {
    if (this.#isOver) {
      const cause = this.#takeCause()
      return cause === undefined ? DONE : Promise.reject(cause)
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#idle(false)
    })
  }

  /** Ends the loop early. Messages are delivered to other listeners again. */
  async return(): Promise<IteratorResult<MessageData, undefined>> {
    this.#cause = undefined
    this.#end()
    return Promise.resolve(DONE)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  readonly #onMessage = (data: MessageData): void => {
    this.#waiting.shift()?.resolve({ value: data, done: false })
    if (this.#waiting.length === 0) this.#idle(true)
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#source.off('message', this.#onMessage)
    this.#idle(false)
    this.#onOver()
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) {
      const cause = this.#takeCause()
      if (cause === undefined) one.resolve(DONE)
      else one.reject(cause)
    }
  }

  /** The cause of the end, for the first call only. */
  #takeCause(): Error | undefined {
    const cause = this.#cause
    this.#cause = undefined
    return cause
  }

  #idle(isIdle: boolean): void {
    if (this.#isIdle === isIdle) return
    this.#isIdle = isIdle
    this.#setIdle(isIdle)
  }
}

/** The cause for a connection that broke without another one. @internal */
export function endedError(): Error {
  return new Error('The connection ended without a Close frame (1006)')
}

/** The iterators over the messages of one socket. A message is delivered when all of them wait for one. @internal */
export class MessageIterators {
  readonly #source: MessageSource
  readonly #hold: (areHeld: boolean) => void
  readonly #open = new Set<MessageIterator>()
  #idle = 0

  /** @param hold - called with whether messages must be held */
  constructor(source: MessageSource, hold: (areHeld: boolean) => void) {
    this.#source = source
    this.#hold = hold
    source.onceClosed((code, _reason, details) => {
      for (const iterator of [...this.#open]) iterator.close(code, details)
    })
  }

  /** See {@link MessageIterator.listen}. */
  listen(): void {
    for (const iterator of this.#open) iterator.listen()
  }

  create(): AsyncIterableIterator<MessageData, undefined, undefined> {
    const setIdle = (isIdle: boolean): void => {
      this.#idle += isIdle ? 1 : -1
      this.#hold(this.#idle > 0)
    }
    const iterator: MessageIterator = new MessageIterator(this.#source, setIdle, () => {
      this.#open.delete(iterator)
    })
    if (this.#source.readyState === this.#source.CLOSED) void iterator.return()
    else this.#open.add(iterator)
    return iterator
  }
}
