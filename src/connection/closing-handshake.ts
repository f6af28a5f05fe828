import { CloseCode } from '../protocol/close-codes.js'
import type { CloseDetails } from './connection-events.js'
import type { Deadline } from './deadline.js'

/**
 * How a connection ends (RFC 6455 section 7). A connection without one is OPEN; with one it is CLOSING, and CLOSED once
 * {@link isOver} is set.
 */
export class ClosingHandshake {
  /** Whether we have queued a Close frame. No data frame is sent after it. */
  isSent = false
  /** Whether the operating system has taken our Close frame. */
  hasLeft = false
  /** Whether the peer's Close frame has arrived. */
  isReceived = false
  /** Whether messages are counted as dropped and not delivered: a handler has failed, or did not take them in time. */
  isDeaf = false
  /** Whether `'close'` was emitted. */
  isOver = false
  /** The peer's code; 1006 until its Close frame has arrived (RFC 6455 section 7.1.5). */
  code: number = CloseCode.abnormal
  /** The peer's reason (RFC 6455 section 7.1.6). */
  reason = ''
  /** The first thing that went wrong. */
  cause: Error | undefined
  /** The number of messages that were received and not delivered. */
  dropped = 0
  /** Ends the connection if the peer does not. */
  deadline: Deadline | undefined
  readonly #initiator: 'local' | 'remote'

  constructor(initiator: 'local' | 'remote') {
    this.#initiator = initiator
  }

  receive(code: number, reason: string): void {
    this.isReceived = true
    this.code = code
    this.reason = reason
  }

  details(): CloseDetails {
    return {
      wasClean: this.hasLeft && this.isReceived,
      initiator: this.#initiator,
      cause: this.cause,
      dropped: this.dropped,
    }
  }
}
