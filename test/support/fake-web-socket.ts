import type { Sendable, SocketLike } from 'hubwire/browser'

type Handler<Event> = ((event: Event) => void) | null

/** A browser's socket that does what the test says, so that a test can hold the clock. */
export class FakeWebSocket implements SocketLike {
  /** All that were made, in order. A test empties it. */
  static made: FakeWebSocket[] = []

  readonly url: string
  readonly sent: Sendable[] = []
  readonly protocol = ''
  readonly bufferedAmount = 0
  binaryType = 'blob'
  readyState = 0
  /** The codes that close() was called with. */
  readonly closes: unknown[] = []
  onopen: Handler<never> = null
  onmessage: Handler<never> = null
  onclose: Handler<never> = null
  onerror: Handler<never> = null

  constructor(url: string) {
    this.url = url
    FakeWebSocket.made.push(this)
  }

  static get last(): FakeWebSocket {
    return FakeWebSocket.made.at(-1)!
  }

  send(data: Sendable): void {
    this.sent.push(data)
  }

  close(code?: number): void {
    this.closes.push(code)
    this.readyState = 3
  }

  open(): void {
    this.readyState = 1
    this.onopen?.(undefined as never)
  }

  receive(data: string): void {
    this.onmessage?.({ data } as never)
  }

  lose(code = 1006, reason = ''): void {
    this.readyState = 3
    this.onclose?.({ code, reason, wasClean: code !== 1006 } as never)
  }
}
