import type { PreparedMessage } from '../sending/prepared-message.js'
import type { SlowLimits } from '../sending/slow-limits.js'

/**
 * What a group needs of its members. A `WebSocket` in either role has it, and anything else that can take messages may
 * implement it: a response of server-sent events, a worker, a recorder.
 */
export interface Member {
  /** 3 once it is closed, as in WHATWG's interface. What is closed joins no group, since nothing would take it out. */
  readonly readyState: number
  /** Sends a message after everything sent before. Returns `false` when it is closing, or too slow and misses it. */
  deliver(message: PreparedMessage, limits: SlowLimits): boolean
  /** Begins the closing handshake. */
  close(code?: number, reason?: string): void
  /**
   * Calls `listener` once when the member has closed, whatever its user does with its event listeners.
   *
   * @returns a function that removes the listener, which a hub calls when the member has left its last group; or nothing.
   *   Without one, each hub that the member was in leaves one listener on it until it closes
   */
  onceClosed(listener: () => void): unknown
}
