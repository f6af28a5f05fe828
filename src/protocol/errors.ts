/** What a peer can do wrong on an open connection; the names are those that users of `ws` know. */
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
  | 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH'
  | 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'

/**
 * The peer broke the protocol or a limit. It ends the peer's connection and nothing else: it is the cause in
 * `'close'`, and is emitted as `'error'` to those who listen.
 */
export class ProtocolError extends Error {
  /** Names the rule that was broken. */
  readonly code: ProtocolErrorCode

  /** The status code of the Close frame that answers it (RFC 6455 section 7.4.1). */
  readonly closeCode: number

  constructor(code: ProtocolErrorCode, closeCode: number, message: string) {
    // The frames of a stack trace hold what they were called on: zlib's engine with all that it has inflated, for as
    // long as the error is kept. It is the peer's fault, and where it was found tells nobody anything.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(message)
    Error.stackTraceLimit = stackTraceLimit
    this.name = 'ProtocolError'
    this.code = code
    this.closeCode = closeCode
  }
}
