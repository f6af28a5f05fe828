import { CloseCode, encodeClose, isValidCloseCode } from 'hubwire/protocol'
import { describe, expect, test } from 'vitest'
import { MAX_REASON_LENGTH } from '#src/protocol/close-codes.js'

/**
 * RFC 6455 sections 7.4.1 and 7.4.2 and IANA's "WebSocket Close Code Number Registry", range by range: whether such a
 * code may stand in a Close frame.
 */
const TABLE: readonly [from: number, to: number, mayBeSent: boolean][] = [
  [0, 999, false], // not used
  [1000, 1003, true],
  [1004, 1004, false], // reserved
  [1005, 1006, false], // only reported
  [1007, 1011, true],
  [1012, 1014, true], // registered after the RFC: Service Restart, Try Again Later, Bad Gateway
  [1015, 1015, false], // only reported: the TLS handshake failed
  [1016, 2999, false], // for revisions of the RFC and extensions
  [3000, 3999, true], // libraries and frameworks
  [4000, 4999, true], // applications
  [5000, 65_535, false],
]

describe('isValidCloseCode', () => {
  test('follows the tables of the RFC and IANA for all 65,536 codes', () => {
    let next = 0
    for (const [from, to, mayBeSent] of TABLE) {
      expect(from).toBe(next)
      const wrong = []
      for (let code = from; code <= to; code++) if (isValidCloseCode(code) !== mayBeSent) wrong.push(code)
      expect({ from, to, wrong }).toEqual({ from, to, wrong: [] })
      next = to + 1
    }
    expect(next).toBe(65_536)
  })
})

describe('encodeClose', () => {
  test('returns an empty payload without a code', () => {
    expect(encodeClose()).toEqual(Buffer.alloc(0))
    expect(encodeClose(undefined, '')).toEqual(Buffer.alloc(0))
  })

  test('encodes the code in network byte order and the reason in UTF-8', () => {
    expect(encodeClose(1000).toString('hex')).toBe('03e8')
    expect(encodeClose(4999, 'bye').toString('hex')).toBe('1387627965')
    expect(encodeClose(1001, Buffer.from('gone')).toString('hex')).toBe('03e9676f6e65')
    expect(encodeClose(1000, 'é').toString('hex')).toBe('03e8c3a9')
  })

  test('accepts the codes that may be sent, and no other', () => {
    for (const [from, to, mayBeSent] of TABLE) {
      for (const code of [from, to]) {
        if (mayBeSent) expect(encodeClose(code).readUInt16BE()).toBe(code)
        else expect(() => encodeClose(code)).toThrow(TypeError)
      }
    }
  })

  test.each([Number.NaN, 1000.5, -1, 65_536, Number.POSITIVE_INFINITY, '1000', null])(
    'refuses %s as a code, and names the codes that are allowed',
    (code) => {
      expect(() => encodeClose(code as number)).toThrow(/may not be sent: use 1000 to 1003, 1007 to 1014/)
    },
  )

  test('refuses a reason without a code', () => {
    expect(() => encodeClose(undefined, 'why')).toThrow(TypeError)
    expect(() => encodeClose(undefined, Buffer.from('why'))).toThrow(/needs a code/)
  })

  test('refuses a reason of more than 123 bytes of UTF-8', () => {
    expect(encodeClose(1000, 'x'.repeat(123))).toHaveLength(125)
    expect(() => encodeClose(1000, 'x'.repeat(124))).toThrow(RangeError)
    expect(encodeClose(1000, 'é'.repeat(61))).toHaveLength(124)
    expect(() => encodeClose(1000, 'é'.repeat(62))).toThrow(
      new RangeError('A close reason holds at most 123 bytes; this one has 124'),
    )
    expect(MAX_REASON_LENGTH).toBe(123)
  })

  test('refuses a reason that is not UTF-8', () => {
    expect(() => encodeClose(1000, Buffer.of(0xff))).toThrow(TypeError)
    expect(encodeClose(1000, '\ud800').toString('hex')).toBe('03e8efbfbd')
  })
})

test('CloseCode has the numbers of RFC 6455 section 7.4.1', () => {
  expect(CloseCode).toEqual({
    goingAway: 1001,
    protocolError: 1002,
    noStatus: 1005,
    abnormal: 1006,
    invalidPayload: 1007,
    policyViolation: 1008,
    messageTooBig: 1009,
    internalError: 1011,
  })
})
