import { CloseCode } from '../protocol/close-codes.js'
import type { CloseDetails } from './connection-events.js'

/** How a connection ends: who began it, which Close frames went either way, and what went wrong. */
export class ClosingHandshake {
  /** Whether we have sent Close. */
  isSent = false
  /** Whether the peer's Close has come. */
  isReceived = false
  /** The peer's code; 1006 until its Close has come (RFC 6455 section 7.1.5). */
  code: number = CloseCode.abnormal
  /** The peer's reason (RFC 6455 section 7.1.6). */
  reason = ''
  /** The first thing that went wrong. */
  cause: Error | undefined
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
      wasClean: this.isSent && this.isReceived,
      initiator: this.#initiator,
      cause: this.cause,
    }
  }
}
