/** Why an attempt to connect came to nothing, other than by the network's or the server's doing. */
export type ConnectErrorCode =
  | 'ABORT_ERR'
  | 'WS_ERR_ABORTED'
  | 'WS_ERR_HANDSHAKE_TIMEOUT'
  | 'WS_ERR_INVALID_REDIRECT'
  | 'WS_ERR_REDIRECT_REFUSED'
  | 'WS_ERR_TOO_MANY_REDIRECTS'

/** Our end gave up an attempt to connect: `connect()` rejects with it, and it is the cause in `'close'`. */
export class ConnectError extends Error {
  /** Names the reason. */
  readonly code: ConnectErrorCode

  constructor(code: ConnectErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = code === 'ABORT_ERR' ? 'AbortError' : 'ConnectError'
    this.code = code
  }
}

/** The error for a `signal` that was aborted, in the form of Node's own; the signal's reason is its `cause`. */
export function abortError(reason: unknown): ConnectError {
  return new ConnectError('ABORT_ERR', 'The attempt to connect was aborted', { cause: reason })
}

/** The error for `close()` and `terminate()` before the connection was open. */
export function closedWhileConnecting(): ConnectError {
  return new ConnectError('WS_ERR_ABORTED', 'WebSocket was closed before the connection was established')
}
