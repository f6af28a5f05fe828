import type { PreparedMessage } from '../sending/prepared-message.js'
import type { SlowLimits } from '../sending/slow-limits.js'

/**
 * The interface of a group's members. A `WebSocket` in either role implements it, and so may anything else that receives
 * messages: a response with server-sent events, a worker, a recorder.
 */
export interface Member {
  /**
   * 3 once it is closed, as in WHATWG's interface. A closed member cannot join a group, because nothing would remove
   * it.
   */
  readonly readyState: number
  /**
   * Sends a message after everything sent before. Returns `false` if the member is closing, or is too slow and misses
   * it.
   */
  deliver(message: PreparedMessage, limits: SlowLimits): boolean
  /** Begins the closing handshake. */
  close(code?: number, reason?: string): void
  /**
   * Calls `listener` once when the member has closed, even if the application removes its event listeners.
   *
   * @returns a function that removes the listener, which a hub calls when the member has left its last group; or
   *   `undefined`. Without it, each hub that the member was in leaves one listener on it until it closes
   */
  onceClosed(listener: () => void): unknown
}
