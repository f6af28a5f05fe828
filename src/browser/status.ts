/**
 * Why the next attempt has to wait:
 *
 * - `'closed'`: the connection ended
 * - `'silent'`: the server did not answer a ping in time
 * - `'failed'`: an attempt did not open
 * - `'unreachable-or-refused'`: several attempts in a row did not open. A browser does not tell its page whether there is
 *   no server, or one that refuses with an HTTP status
 * - `'busy'`: the server closed with 1013 or 4429, and the delay is longer
 * - `'offline'`: the browser reports that there is no network
 * - `'hidden'`: the user has left the page; it reconnects when the browser shows it again
 */
export type WaitingReason =
  'closed' | 'silent' | 'failed' | 'unreachable-or-refused' | 'busy' | 'offline' | 'hidden'

/** An attempt is being made: the URL function or the opening handshake is pending. */
export interface Connecting {
  readonly state: 'connecting'
  /** 1 for the first attempt, and for the first after a stable connection. */
  readonly attempt: number
}

/** The connection is open. */
export interface Open {
  readonly state: 'open'
}

/** There is no connection, and the next attempt is scheduled. */
export interface Waiting {
  readonly state: 'waiting'
  readonly reason: WaitingReason
  /** Milliseconds until the next attempt; `Infinity` while the page is hidden in the browser's cache. */
  readonly delay: number
  /** The number of the next attempt. */
  readonly attempt: number
  /** The Close code, 1006 if there was none (RFC 6455 section 7.1.5). */
  readonly code: number
}

/** Closed by `close()`, or because the server's refusal is final. */
export interface Closed {
  readonly state: 'closed'
  readonly code: number
  readonly reason: string
  /** How many queued messages were never sent. */
  readonly dropped: number
}

/** The state of the connection. Each change creates a new object. */
export type Status = Connecting | Open | Waiting | Closed
