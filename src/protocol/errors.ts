/** The violations of a peer on an open connection, with the names of `ws` where it has one. */
export type ProtocolErrorCode =
  | 'WS_ERR_EXPECTED_FIN'
  | 'WS_ERR_EXPECTED_MASK'
  | 'WS_ERR_INVALID_CLOSE_CODE'
  | 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH'
  | 'WS_ERR_INVALID_DEFLATE_DATA'
  | 'WS_ERR_INVALID_OPCODE'
  | 'WS_ERR_INVALID_PAYLOAD_LENGTH'
  | 'WS_ERR_INVALID_UTF8'
  | 'WS_ERR_TOO_MANY_BUFFERED_PARTS'
  | 'WS_ERR_TOO_MANY_MESSAGES'
  | 'WS_ERR_UNEXPECTED_MASK'
  | 'WS_ERR_UNEXPECTED_RSV_1'
  | 'WS_ERR_UNEXPECTED_RSV_2_3'
  | 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'

/**
 * The peer violated the protocol or exceeded a limit. This closes its connection and has no other effect: the error is
 * the cause in `'close'`, and `'error'` is emitted only if it has a listener.
 */
export class ProtocolError extends Error {
  /** Names the violated rule. */
  readonly code: ProtocolErrorCode

  /** The status code of the Close frame that answers it (RFC 6455 section 7.4.1). */
  readonly closeCode: number

  constructor(code: ProtocolErrorCode, closeCode: number, message: string) {
    super(message)
    this.name = 'ProtocolError'
    this.code = code
    this.closeCode = closeCode
    releaseFrames(this)
  }
}

/**
 * Makes V8 format the stack trace. Until then an error refers to the objects whose methods were running: to a zlib engine
 * with up to `maxPayload` bytes that it has inflated, for as long as the application keeps the error.
 */
function releaseFrames(error: Error): string | undefined {
  return error.stack
}
