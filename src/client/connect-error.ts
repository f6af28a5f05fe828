/** Why an attempt to connect failed at the client's end. */
export type ConnectErrorCode =
  | 'ABORT_ERR'
  | 'WS_ERR_ABORTED'
  | 'WS_ERR_HANDSHAKE_TIMEOUT'
  | 'WS_ERR_INVALID_REDIRECT'
  | 'WS_ERR_REDIRECT_REFUSED'
  | 'WS_ERR_TOO_MANY_REDIRECTS'

/** The further properties of a {@link ConnectError}. */
export interface ConnectErrorDetails extends ErrorOptions {
  /** The answer of the server at which the client gave up. */
  response?: { status: number; headers: Readonly<Record<string, string>>; body: string }
}

/** The client gave up an attempt to connect. `connect()` rejects with this error, and it is the cause in `'close'`. */
export class ConnectError extends Error {
  /** Names the reason. */
  readonly code: ConnectErrorCode
  /** The HTTP status code of the redirect that was not followed; otherwise `undefined`. */
  readonly status: number | undefined
  /** The header fields of that redirect, with names in lower case. */
  readonly headers: Readonly<Record<string, string>> | undefined
  /** The first 4 KiB of its body, or the part that arrived within a second. */
  readonly body: string | undefined

  constructor(code: ConnectErrorCode, message: string, { response, ...options }: ConnectErrorDetails = {}) {
    super(message, options)
    this.name = code === 'ABORT_ERR' ? 'AbortError' : 'ConnectError'
    this.code = code
    this.status = response?.status
    this.headers = response?.headers
    this.body = response?.body
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
