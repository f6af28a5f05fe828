import { encodeFrame, headerLength, Opcode, writeHeader } from 'hubwire/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_HEADER_LENGTH, payloadStart, writeMaskingKey } from '#src/protocol/frames.js'
import { frameBytes } from '../support/raw-frame.js'

const KEY = [0x37, 0xfa, 0x21, 0x3d]

/** Both sides of each length at which the header's form changes, and what lies within them. */
const LENGTHS = [0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65_534, 65_535, 65_536, 65_537, 100_000]

describe('encodeFrame', () => {
  // RFC 6455 section 5.7.
  test.each([
    ['a text message', 'Hello', { opcode: Opcode.text }, '810548656c6c6f'],
    [
      'a masked text message',
      'Hello',
      { opcode: Opcode.text, maskingKey: Buffer.from(KEY) },
      '818537fa213d7f9f4d5158',
    ],
    ['a first fragment', 'Hel', { opcode: Opcode.text, fin: false }, '010348656c'],
    ['a last fragment', 'lo', { opcode: Opcode.continuation }, '80026c6f'],
    ['a Ping', 'Hello', { opcode: Opcode.ping }, '890548656c6c6f'],
    [
      'a masked Pong',
      'Hello',
      { opcode: Opcode.pong, maskingKey: Buffer.from(KEY) },
      '8a8537fa213d7f9f4d5158',
    ],
  ])('encodes %s as RFC 6455 section 5.7 does', (_name, payload, options, bytes) => {
    expect(encodeFrame(payload, options).toString('hex')).toBe(bytes)
  })

  test.each([
    [256, '827e0100'],
    [65_536, '827f0000000000010000'],
  ])('encodes a length of %d bytes as RFC 6455 section 5.7 does', (length, header) => {
    const frame = encodeFrame(Buffer.alloc(length), { opcode: Opcode.binary })
    expect(frame.subarray(0, header.length / 2).toString('hex')).toBe(header)
    expect(frame).toHaveLength(header.length / 2 + length)
  })

  test.each(LENGTHS)('encodes a payload of %d bytes, masked and unmasked', (length) => {
    const payload = Buffer.alloc(length, 'The quick brown fox')
    for (const key of [undefined, KEY]) {
      const maskingKey = key === undefined ? {} : { maskingKey: Buffer.from(key) }
      const frame = encodeFrame(payload, { opcode: Opcode.binary, ...maskingKey })
      expect(frame.equals(frameBytes({ opcode: Opcode.binary, payload, key }))).toBe(true)
    }
  })

  test('sets RSV1 for a compressed message', () => {
    expect(encodeFrame('', { opcode: Opcode.text, rsv1: true })[0]).toBe(0xc1)
    expect(encodeFrame('', { opcode: Opcode.text, rsv1: true, fin: false })[0]).toBe(0x41)
  })

  test('leaves the payload and the key unchanged', () => {
    const payload = Buffer.from('unchanged')
    const maskingKey = Buffer.from(KEY)
    encodeFrame(payload, { opcode: Opcode.binary, maskingKey })
    expect(payload.toString()).toBe('unchanged')
    expect([...maskingKey]).toEqual(KEY)
  })

  test('counts text in bytes of UTF-8, and a lone surrogate as U+FFFD', () => {
    expect(encodeFrame('κόσμε\u{1f600}\ud800', { opcode: Opcode.text })).toEqual(
      frameBytes({ opcode: Opcode.text, payload: 'κόσμε\u{1f600}\ufffd' }),
    )
  })

  test('encodes any frame and sets every byte of it', () => {
    const options = fc.record({
      opcode: fc.nat(15),
      fin: fc.boolean(),
      rsv1: fc.boolean(),
      key: fc.option(fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }), { nil: undefined }),
    })
    const character = fc.constantFrom('a', 'é', '€', '\ud800', '\u{10ffff}')
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 300, size: 'max' }),
      fc.string({ unit: character, maxLength: 200, size: 'max' }),
    )
    fc.assert(
      fc.property(payload, options, (payload, { opcode, fin, rsv1, key }) => {
        const maskingKey = key === undefined ? {} : { maskingKey: Uint8Array.from(key) }
        const frame = encodeFrame(payload, { opcode, fin, rsv1, ...maskingKey })
        const expected = frameBytes({ opcode, payload, fin, rsv: rsv1 ? 4 : 0, key })
        expect(frame.toString('hex')).toBe(expected.toString('hex'))
      }),
    )
  })

  // Fault: ws CVE-2016-10518 and CVE-2026-45736. What is measured one way and copied another leaves memory that
  // nobody wrote.
  test.each([
    ['a number', 100],
    ['nothing', undefined],
    ['a view of wider elements', new Uint16Array(50)],
    ['a DataView', new DataView(new ArrayBuffer(50))],
    ['an ArrayBuffer', new ArrayBuffer(50)],
    ['an object with a length', { byteLength: 50 }],
  ])('refuses %s as a payload', (_name, payload) => {
    expect(() => encodeFrame(payload as unknown as Uint8Array, { opcode: Opcode.binary })).toThrow(TypeError)
  })

  test.each([0, 3, 5])('refuses a masking key of %d bytes', (length) => {
    expect(() => encodeFrame('payload', { opcode: Opcode.text, maskingKey: Buffer.alloc(length) })).toThrow(
      RangeError,
    )
  })
})

describe('writeHeader', () => {
  test.each(LENGTHS)('writes headerLength bytes for a payload of %d bytes at any offset', (length) => {
    const target = Buffer.alloc(30, 0xee)
    const end = writeHeader(target, 7, 0x82, length, false)
    expect(end - 7).toBe(headerLength(length))
    const expected = frameBytes({ opcode: Opcode.binary, length: BigInt(length) })
    expect(target.subarray(7, end)).toEqual(expected)
    expect(target.subarray(0, 7).every((byte) => byte === 0xee)).toBe(true)
    expect(target.subarray(end).every((byte) => byte === 0xee)).toBe(true)
  })

  test.each([2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER])(
    'states %d bytes in 64 bits',
    (length) => {
      const target = Buffer.alloc(MAX_HEADER_LENGTH)
      expect(writeHeader(target, 0, 0x82, length, true)).toBe(10)
      expect(target[1]).toBe(0xff)
      expect(target.readBigUInt64BE(2)).toBe(BigInt(length))
    },
  )

  test('writes the longest header for a masked payload with a 64-bit length', () => {
    const target = Buffer.alloc(MAX_HEADER_LENGTH)
    const behind = writeMaskingKey(target, writeHeader(target, 0, 0x82, 65_536, true), 0x04030201)
    expect(behind).toBe(MAX_HEADER_LENGTH)
    expect([...target.subarray(10)]).toEqual([1, 2, 3, 4])
  })
})

test.each(LENGTHS)(
  'returns from payloadStart where the payload of an unmasked frame of %d bytes begins',
  (length) => {
    const frame = encodeFrame(Buffer.alloc(length), { opcode: Opcode.binary })
    expect(frame.length - payloadStart(frame)).toBe(length)
  },
)
