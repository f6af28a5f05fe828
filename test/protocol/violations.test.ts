import { ProtocolError } from 'hubwire/protocol'
import { describe, expect, test } from 'vitest'
import {
  checkFirstByte,
  closeCodeError,
  controlLengthError,
  deflateError,
  lengthError,
  maskError,
  tooBigError,
  tooManyFragments,
  tooManyMessages,
  utf8Error,
} from '#src/protocol/violations.js'

/** RFC 6455 sections 5.2, 5.4 and 5.5, RFC 7692 section 6: the first rule that a byte breaks. */
function expectedOf(first: number, inMessage: boolean, compression: boolean): string | undefined {
  const [fin, rsv1, rsv2, rsv3] = [0x80, 0x40, 0x20, 0x10].map((bit) => (first & bit) !== 0)
  const opcode = first % 16
  const startsMessage = opcode === 1 || opcode === 2
  if (rsv2 || rsv3) return 'WS_ERR_UNEXPECTED_RSV_2_3'
  if (rsv1 && !(compression && startsMessage)) return 'WS_ERR_UNEXPECTED_RSV_1'
  if ((opcode >= 3 && opcode <= 7) || opcode >= 11) return 'WS_ERR_INVALID_OPCODE'
  if (opcode >= 8) return fin ? undefined : 'WS_ERR_EXPECTED_FIN'
  return startsMessage === inMessage ? 'WS_ERR_INVALID_OPCODE' : undefined
}

describe('checkFirstByte', () => {
  test.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('judges all 256 bytes, in a message: %s, with compression: %s', (inMessage, compression) => {
    for (let first = 0; first < 256; first++) {
      const error = checkFirstByte(first, inMessage, compression)
      expect([first, error?.code]).toEqual([first, expectedOf(first, inMessage, compression)])
      expect(error?.closeCode ?? 1002).toBe(1002)
    }
  })

  test.each([
    [0x91, false, 'RSV2 and RSV3 must be clear (RFC 6455 section 5)'],
    [0xc1, false, 'RSV1 must be clear (RFC 6455 section 5)'],
    [0x80, false, 'There is no message to continue (RFC 6455 section 5)'],
    [0x82, true, 'The previous message is unfinished (RFC 6455 section 5)'],
    [0x09, false, 'A control frame must not be fragmented (RFC 6455 section 5)'],
    [0x8b, false, 'Opcode 11 is reserved (RFC 6455 section 5)'],
  ])('describes the violation in %i', (first, inMessage, message) => {
    expect(checkFirstByte(first, inMessage, false)?.message).toBe(message)
  })
})

// RFC 6455 section 7.4.1 gives the close codes; the codes are those that users of ws know.
test.each<[ProtocolError, string, number, string]>([
  [
    lengthError(-1),
    'WS_ERR_INVALID_PAYLOAD_LENGTH',
    1002,
    'The payload length is not valid: its most significant bit is set (RFC 6455 section 5.2)',
  ],
  [
    lengthError(125),
    'WS_ERR_INVALID_PAYLOAD_LENGTH',
    1002,
    'The payload length is not valid: 125 bytes fit a shorter form (RFC 6455 section 5.2)',
  ],
  [maskError(true), 'WS_ERR_UNEXPECTED_MASK', 1002, 'A server must not mask its frames'],
  [maskError(false), 'WS_ERR_EXPECTED_MASK', 1002, 'A client must mask its frames'],
  [
    controlLengthError(),
    'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
    1002,
    'A control frame holds at most 125 bytes, a Close frame none or at least 2 (RFC 6455 section 5.5)',
  ],
  [
    closeCodeError(1005),
    'WS_ERR_INVALID_CLOSE_CODE',
    1002,
    'Close code 1005 may not be sent (RFC 6455 section 7.4)',
  ],
  [utf8Error(), 'WS_ERR_INVALID_UTF8', 1007, 'The text is not valid UTF-8'],
  [
    tooManyFragments(5),
    'WS_ERR_TOO_MANY_BUFFERED_PARTS',
    1008,
    'The message has more than maxFragments (5) frames',
  ],
  [
    tooBigError(10),
    'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
    1009,
    'The message is longer than maxPayload (10 bytes)',
  ],
  [
    tooManyMessages('messageRate'),
    'WS_ERR_TOO_MANY_MESSAGES',
    1008,
    'The peer sends more often than messageRate allows',
  ],
  [deflateError('It is none'), 'WS_ERR_INVALID_DEFLATE_DATA', 1007, 'It is none'],
])('%s', (error, code, closeCode, message) => {
  expect(error).toBeInstanceOf(ProtocolError)
  expect(error).toMatchObject({ code, closeCode, message })
  // It goes into the reason of a Close frame.
  expect(Buffer.byteLength(error.message)).toBeLessThanOrEqual(123)
})
