import type { PreparedMessage } from './prepared-message.js'

/** What a group counts as a slow member, where it differs from what the member's own server does. */
export interface SlowLimits {
  /** Octets that may wait for a member before it counts as slow. */
  readonly maxBufferedAmount?: number | undefined
  /** What becomes of a slow member. */
  readonly slowPolicy?: SlowPolicy | undefined
}

/** What becomes of a peer that reads more slowly than it is written to, beyond `maxBufferedAmount`. */
export type SlowPolicy = 'terminate' | 'skip'

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
