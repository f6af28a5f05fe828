import type { PreparedMessage } from '../sending/prepared-message.js'
import type { SlowLimits } from '../sending/slow-limits.js'

/** What a group needs of its members: a `WebSocket` in either role has it. */
export interface Member {
  /** 3 once it is closed, as WHATWG has it: what is closed joins no group, since no `'close'` would take it out. */
  readonly readyState: number
  /** Sends it, after all that was sent before; `false` when the member is closing, or too slow and misses it. */
  deliver(message: PreparedMessage, limits: SlowLimits): boolean
  /** Begins the closing handshake. */
  close(code?: number, reason?: string): void
  on(event: 'close', listener: () => void): unknown
  off(event: 'close', listener: () => void): unknown
}
