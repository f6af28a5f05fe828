import { CloseCode } from './close-codes.js'
import { ProtocolError, type ProtocolErrorCode } from './errors.js'
import { MAX_CONTROL_PAYLOAD } from './frames.js'
import { FIN, Opcode, RSV1 } from './opcodes.js'

/**
 * The violation in the first byte of a frame (RFC 6455 sections 5.2, 5.4 and 5.5), if there is one.
 *
 * @param inMessage - whether a message is unfinished, so that a continuation must come and a new one must not
 * @param compression - whether permessage-deflate was negotiated, which gives RSV1 its meaning
 */
export function checkFirstByte(
  first: number,
  inMessage: boolean,
  compression: boolean,
): ProtocolError | undefined {
  // Nearly every frame is a whole message, outside of any fragmented one.
  if ((first === (FIN | Opcode.text) || first === (FIN | Opcode.binary)) && !inMessage) return undefined

  const opcode = first & 0x0f
  if ((first & 0x30) !== 0) return broken('WS_ERR_UNEXPECTED_RSV_2_3', 'RSV2 and RSV3 must be clear')
  // Only the first frame of a data message has it (RFC 7692 section 6).
  if ((first & RSV1) !== 0 && !(compression && (opcode === Opcode.text || opcode === Opcode.binary))) {
    return broken('WS_ERR_UNEXPECTED_RSV_1', 'RSV1 must be clear')
  }
  switch (opcode) {
    case Opcode.continuation:
      return inMessage ? undefined : broken('WS_ERR_INVALID_OPCODE', 'There is no message to continue')
    case Opcode.text:
    case Opcode.binary:
      return inMessage ? broken('WS_ERR_INVALID_OPCODE', 'The previous message is unfinished') : undefined
    case Opcode.close:
    case Opcode.ping:
    case Opcode.pong:
      return first >= FIN
        ? undefined
        : broken('WS_ERR_EXPECTED_FIN', 'A control frame must not be fragmented')
    default:
      return broken('WS_ERR_INVALID_OPCODE', `Opcode ${opcode} is reserved`)
  }
}

function broken(code: ProtocolErrorCode, message: string): ProtocolError {
  return new ProtocolError(code, CloseCode.protocolError, `${message} (RFC 6455 section 5)`)
}

/** @param length - as read, or -1 if its most significant bit is set */
export function lengthError(length: number): ProtocolError {
  const reason = length < 0 ? 'its most significant bit is set' : `${length} bytes fit a shorter form`
  return new ProtocolError(
    'WS_ERR_INVALID_PAYLOAD_LENGTH',
    CloseCode.protocolError,
    `The payload length is not valid: ${reason} (RFC 6455 section 5.2)`,
  )
}

export function maskError(masked: boolean): ProtocolError {
  return masked
    ? new ProtocolError(
        'WS_ERR_UNEXPECTED_MASK',
        CloseCode.protocolError,
        'A server must not mask its frames',
      )
    : new ProtocolError('WS_ERR_EXPECTED_MASK', CloseCode.protocolError, 'A client must mask its frames')
}

export function controlLengthError(): ProtocolError {
  return new ProtocolError(
    'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
    CloseCode.protocolError,
    `A control frame holds at most ${MAX_CONTROL_PAYLOAD} bytes, a Close frame none or at least 2 (RFC 6455 section 5.5)`,
  )
}

export function closeCodeError(code: number): ProtocolError {
  return new ProtocolError(
    'WS_ERR_INVALID_CLOSE_CODE',
    CloseCode.protocolError,
    `Close code ${code} may not be sent (RFC 6455 section 7.4)`,
  )
}

export function utf8Error(): ProtocolError {
  return new ProtocolError('WS_ERR_INVALID_UTF8', CloseCode.invalidPayload, 'The text is not valid UTF-8')
}

export function tooManyFragments(most: number): ProtocolError {
  return new ProtocolError(
    'WS_ERR_TOO_MANY_BUFFERED_PARTS',
    CloseCode.policyViolation,
    `The message has more than maxFragments (${most}) frames`,
  )
}

/** @param option - the name of the option that sets the rate */
export function tooManyMessages(option: string): ProtocolError {
  return new ProtocolError(
    'WS_ERR_TOO_MANY_MESSAGES',
    CloseCode.policyViolation,
    `The peer sends more often than ${option} allows`,
  )
}

export function tooBigError(limit: number): ProtocolError {
  return new ProtocolError(
    'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
    CloseCode.messageTooBig,
    `The message is longer than maxPayload (${limit} bytes)`,
  )
}

export function deflateError(message: string): ProtocolError {
  return new ProtocolError('WS_ERR_INVALID_DEFLATE_DATA', CloseCode.invalidPayload, message)
}
