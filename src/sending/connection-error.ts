/** Why a connection ended or a message was not sent, other than a protocol violation. */
export type ConnectionErrorCode =
  'WS_ERR_CLOSED' | 'WS_ERR_CLOSE_TIMEOUT' | 'WS_ERR_SILENT_PEER' | 'WS_ERR_SLOW_PEER'

/** The cause in `'close'` of a connection that this end terminated, and the error of a send callback for unsent bytes. */
export class ConnectionError extends Error {
  /** Names the exceeded limit. */
  readonly code: ConnectionErrorCode

  constructor(code: ConnectionErrorCode, message: string) {
    super(message)
    this.name = 'ConnectionError'
    this.code = code
  }
}

export function silentPeerError(): ConnectionError {
  return new ConnectionError(
    'WS_ERR_SILENT_PEER',
    'The peer is gone: it was silent, and did not answer a Ping in time',
  )
}

export function slowPeerError(bufferedAmount: number): ConnectionError {
  return new ConnectionError(
    'WS_ERR_SLOW_PEER',
    `The peer reads too slowly: ${bufferedAmount} bytes wait for it, more than maxBufferedAmount allows. ` +
      "Wait for 'drain' when send() returns false",
  )
}

export function closeTimeoutError(): ConnectionError {
  return new ConnectionError(
    'WS_ERR_CLOSE_TIMEOUT',
    'The peer did not complete the closing handshake in time (closeTimeout, or the timeout of a shutdown)',
  )
}

export function closedError(): ConnectionError {
  return new ConnectionError(
    'WS_ERR_CLOSED',
    'The connection was closed before the operating system had taken the bytes',
  )
}

export function closingError(): Error {
  return new Error('The connection is closing: nothing more can be sent')
}
