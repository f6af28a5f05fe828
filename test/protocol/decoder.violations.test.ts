import { Decoder, type DecoderOptions, Opcode } from 'hubwire/protocol'
import { describe, expect, test } from 'vitest'
import { inChunks } from '../support/chunks.js'
import { clientFrame, clientFrames, type FrameParts, frameBytes } from '../support/raw-frame.js'
import { decoded, RecordingSink } from '../support/recording-sink.js'

const { binary, close, continuation, ping, pong, text } = Opcode

const PAYLOAD_LENGTH = ['WS_ERR_INVALID_PAYLOAD_LENGTH', 1002]
const OPCODE = ['WS_ERR_INVALID_OPCODE', 1002]
const RSV_1 = ['WS_ERR_UNEXPECTED_RSV_1', 1002]
const RSV_2_3 = ['WS_ERR_UNEXPECTED_RSV_2_3', 1002]
const FIN = ['WS_ERR_EXPECTED_FIN', 1002]
const CONTROL_LENGTH = ['WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH', 1002]
const CLOSE_CODE = ['WS_ERR_INVALID_CLOSE_CODE', 1002]
const UTF8 = ['WS_ERR_INVALID_UTF8', 1007]
const FRAGMENTS = ['WS_ERR_TOO_MANY_BUFFERED_PARTS', 1008]
const TOO_BIG = ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009]

const begun: FrameParts = { opcode: text, payload: 'begun', fin: false }

const VIOLATIONS: readonly [name: string, bytes: Buffer, error: readonly unknown[]][] = [
  ['RSV1 without an extension', clientFrames({ opcode: text, payload: 'x', rsv: 4 }), RSV_1],
  ['RSV2', clientFrames({ opcode: text, payload: 'x', rsv: 2 }), RSV_2_3],
  ['RSV3', clientFrames({ opcode: binary, rsv: 1 }), RSV_2_3],
  ['RSV1 in a Ping', clientFrames({ opcode: ping, rsv: 4 }), RSV_1],
  ['a reserved data opcode', clientFrames({ opcode: 3, payload: 'x' }), OPCODE],
  ['another reserved data opcode', clientFrames({ opcode: 7, fin: false }), OPCODE],
  ['a reserved control opcode', clientFrames({ opcode: 11 }), OPCODE],
  ['another reserved control opcode', clientFrames({ opcode: 15, payload: 'x' }), OPCODE],
  ['a continuation of nothing', clientFrames({ opcode: continuation, payload: 'x' }), OPCODE],
  ['an unfinished continuation of nothing', clientFrames({ opcode: continuation, fin: false }), OPCODE],
  ['a message within a message', clientFrames(begun, { opcode: text, payload: 'x' }), OPCODE],
  ['an unfinished message within a message', clientFrames(begun, { opcode: binary, fin: false }), OPCODE],
  ['a fragmented Ping', clientFrames({ opcode: ping, fin: false }), FIN],
  ['a fragmented Pong', clientFrames({ opcode: pong, fin: false }), FIN],
  ['a fragmented Close', clientFrames({ opcode: close, fin: false }), FIN],
  ['no mask', frameBytes({ opcode: text, payload: 'x' }), ['WS_ERR_EXPECTED_MASK', 1002]],
  ['no mask in a Ping', frameBytes({ opcode: ping }), ['WS_ERR_EXPECTED_MASK', 1002]],
  ['a Ping of 126 bytes', clientFrames({ opcode: ping, payload: 'x'.repeat(126) }), CONTROL_LENGTH],
  ['a Pong of 70,000 bytes', clientFrames({ opcode: pong, payload: 'x'.repeat(70_000) }), CONTROL_LENGTH],
  ['a Ping of few bytes in 16 bits', clientFrames({ opcode: ping, payload: 'x', form: 16 }), CONTROL_LENGTH],
  ['a Close of 126 bytes', clientFrames({ opcode: close, payload: Buffer.alloc(126, 3) }), CONTROL_LENGTH],
  ['a Close of one byte', clientFrames({ opcode: close, payload: Buffer.of(3) }), CONTROL_LENGTH],
  ['0 bytes in 16 bits', clientFrames({ opcode: text, form: 16 }), PAYLOAD_LENGTH],
  [
    '125 bytes in 16 bits',
    clientFrames({ opcode: text, payload: 'x'.repeat(125), form: 16 }),
    PAYLOAD_LENGTH,
  ],
  ['0 bytes in 64 bits', clientFrames({ opcode: text, form: 64 }), PAYLOAD_LENGTH],
  [
    '125 bytes in 64 bits',
    clientFrames({ opcode: text, payload: 'x'.repeat(125), form: 64 }),
    PAYLOAD_LENGTH,
  ],
  ['65,535 bytes in 64 bits', clientFrames({ opcode: text, length: 65_535n, form: 64 }), PAYLOAD_LENGTH],
  ['2^63 bytes', clientFrames({ opcode: text, length: 2n ** 63n }), PAYLOAD_LENGTH],
  ['2^64 - 1 bytes', clientFrames({ opcode: text, length: 2n ** 64n - 1n }), PAYLOAD_LENGTH],
  ['2^63 - 1 bytes', clientFrames({ opcode: text, length: 2n ** 63n - 1n }), TOO_BIG],
  ['2^62 bytes', clientFrames({ opcode: text, length: 2n ** 62n }), TOO_BIG],
  ['2^53 bytes', clientFrames({ opcode: binary, length: 2n ** 53n }), TOO_BIG],
  ['2^53 + 1 bytes', clientFrames({ opcode: binary, length: 2n ** 53n + 1n }), TOO_BIG],
  ['2^32 bytes', clientFrames({ opcode: binary, length: 2n ** 32n }), TOO_BIG],
  ['2^31 bytes', clientFrames({ opcode: binary, length: 2n ** 31n }), TOO_BIG],
  ['text that is none', clientFrames({ opcode: text, payload: Buffer.of(0x61, 0xff) }), UTF8],
  ['text that is unfinished', clientFrames({ opcode: text, payload: Buffer.of(0x61, 0xe2, 0x82) }), UTF8],
  [
    'text that is unfinished with its last fragment',
    clientFrames(begun, { opcode: continuation, payload: Buffer.of(0xe2, 0x82) }),
    UTF8,
  ],
  [
    'an empty end of unfinished text',
    clientFrames({ ...begun, payload: Buffer.of(0xc3) }, { opcode: 0 }),
    UTF8,
  ],
  [
    'a character cut by ASCII',
    clientFrames({ ...begun, payload: Buffer.of(0xc3) }, { ...begun, opcode: 0 }),
    UTF8,
  ],
  ['a reason that is no text', clientFrames({ opcode: close, payload: Buffer.of(3, 0xe8, 0xff) }), UTF8],
  ['a reason that is unfinished', clientFrames({ opcode: close, payload: Buffer.of(3, 0xe8, 0xc3) }), UTF8],
]

describe('violations', () => {
  test.each(VIOLATIONS)('%s', (_name, bytes, error) => {
    for (const sizes of [[1_000_000], [1], [2, 7]]) {
      expect(decoded(inChunks(bytes, sizes))).toEqual([{ error }])
    }
  })

  test.each(VIOLATIONS)(
    '%s: delivers what comes before it and reads nothing after it',
    (_name, bytes, error) => {
      const before = clientFrames({ opcode: text, payload: 'before' }, { opcode: ping, payload: 'too' })
      const behind = clientFrames({ opcode: text, payload: 'behind' }, { opcode: ping }, { opcode: close })
      const expected = [{ text: 'before' }, { ping: Buffer.from('too') }, { error }]
      const all = Buffer.concat([before, bytes, behind])
      expect(decoded([Buffer.from(all), Buffer.from(behind)])).toEqual(expected)
      expect(decoded([...inChunks(all, [1]), Buffer.from(behind)])).toEqual(expected)
    },
  )

  test('refuses a masked frame from a server', () => {
    for (const parts of [{ opcode: text, payload: 'x' }, { opcode: ping }]) {
      expect(decoded([clientFrame(parts)], { from: 'server' })).toEqual([
        { error: ['WS_ERR_UNEXPECTED_MASK', 1002] },
      ])
    }
  })

  test('accepts the Close codes that the RFC and IANA allow, and no other', () => {
    const wrong = []
    // The codes above those of applications (4999) are all alike.
    const codes = [...Array(5100).keys(), ...Array.from({ length: 236 }, (_, index) => 65_535 - 256 * index)]
    for (const code of codes) {
      const isAllowed =
        (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999)
      const payload = Buffer.of(code >> 8, code & 0xff)
      const [found] = decoded([clientFrame({ opcode: close, payload })]) as [
        { close?: readonly [number, string]; error?: readonly [string, number] },
      ]
      const isRight = isAllowed ? found.close?.[0] === code : String(found.error) === String(CLOSE_CODE)
      if (!isRight) wrong.push(code)
    }
    expect(wrong).toEqual([])
  })

  test('reports the first of several violations', () => {
    const bytes = Buffer.of(0xf3, 0x7f, ...Array<number>(8).fill(0xff))
    expect(decoded([bytes])).toEqual([{ error: RSV_2_3 }])
  })
})

describe('violations are reported as early as possible:', () => {
  /** How many bytes it takes, one by one, until the error is there. */
  function bytesUntilError(bytes: Buffer, options: Partial<DecoderOptions> = {}): number {
    const sink = new RecordingSink()
    const decoder = new Decoder(sink, { from: 'client', ...options })
    let count = 0
    while (sink.errors.length === 0 && count < bytes.length) {
      decoder.push(Buffer.from(bytes.subarray(count, count + 1)))
      count++
    }
    return count
  }

  test.each<[string, Buffer, number]>([
    ['a reserved opcode with the second byte', clientFrames({ opcode: 3, payload: 'payload' }), 2],
    ['no mask with the second byte', frameBytes({ opcode: text, payload: 'payload' }), 2],
    ['a long Ping with the second byte', clientFrames({ opcode: ping, payload: 'x'.repeat(126) }), 2],
    ['a length in too many bytes with the length', clientFrames({ opcode: text, form: 16 }), 4],
    ['2^63 bytes with the length', clientFrames({ opcode: text, length: 2n ** 63n }), 10],
    ['2^62 bytes with the length', clientFrames({ opcode: text, length: 2n ** 62n }), 10],
    ['2 MiB with the length', clientFrames({ opcode: text, length: 2n ** 21n }), 10],
  ])('%s', (_name, bytes, count) => {
    expect(bytesUntilError(bytes)).toBe(count)
  })

  test('a message or a sum of fragments above the limit, at the length', () => {
    const limit = { maxPayload: 100 }
    expect(bytesUntilError(clientFrames({ opcode: text, payload: 'x'.repeat(101) }), limit)).toBe(2)
    const fragments = [
      clientFrames({ opcode: text, payload: 'x'.repeat(60), fin: false }),
      clientFrames({ opcode: continuation, payload: 'x'.repeat(41) }),
    ]
    expect(bytesUntilError(Buffer.concat(fragments), limit)).toBe(fragments[0]!.length + 2)
  })

  // Autobahn 6.4: fail fast, before the frame or the message is whole.
  test('invalid text at its first invalid byte, within a frame and within a message', () => {
    const bad = Buffer.concat([Buffer.from('κόσμε'), Buffer.of(0xf4, 0x90), Buffer.from('edited')])
    const inOneFrame = clientFrames({ opcode: text, payload: bad })
    expect(bytesUntilError(inOneFrame)).toBe(6 + 12)
    const inFragments = clientFrames(
      { opcode: text, payload: bad.subarray(0, 11), fin: false },
      { opcode: continuation, payload: bad.subarray(11), fin: false },
    )
    expect(bytesUntilError(inFragments)).toBe(6 + 11 + 6 + 1)
  })

  test('invalid text in a chunk of a long frame, at that chunk', () => {
    const payload = Buffer.alloc(1000, 'a')
    payload[300] = 0xc0
    const bytes = clientFrames({ opcode: text, payload })
    const sink = new RecordingSink()
    const decoder = new Decoder(sink, { from: 'client' })
    const [first, second, third] = inChunks(bytes, [200]) as [Buffer, Buffer, Buffer]
    decoder.push(first)
    expect(sink.found).toEqual([])
    decoder.push(second)
    expect(sink.found).toEqual([{ error: UTF8 }])
    decoder.push(third)
    expect(sink.found).toHaveLength(1)
  })
})

describe('limits', () => {
  test.each([1, 125, 126, 1000, 65_535, 65_536])(
    'accepts maxPayload (%d) bytes and refuses one more',
    (maxPayload) => {
      for (const sizes of [[1_000_000], [50]]) {
        const message = (length: number): Buffer =>
          clientFrames({ opcode: binary, payload: Buffer.alloc(length) })
        expect(decoded(inChunks(message(maxPayload), sizes), { maxPayload })).toHaveLength(1)
        expect(decoded(inChunks(message(maxPayload), sizes), { maxPayload })[0]).toHaveProperty('binary')
        expect(decoded(inChunks(message(maxPayload + 1), sizes), { maxPayload })).toEqual([
          { error: TOO_BIG },
        ])
      }
    },
  )

  test('applies maxPayload to the sum of the fragments', () => {
    const fragments = (...lengths: number[]): Buffer =>
      clientFrames(
        ...lengths.map((length, index) => ({
          opcode: index === 0 ? text : continuation,
          payload: 'x'.repeat(length),
          fin: index === lengths.length - 1,
        })),
      )
    const limit = { maxPayload: 10 }
    expect(decoded([fragments(4, 0, 6)], limit)).toEqual([{ text: 'x'.repeat(10) }])
    expect(decoded([fragments(4, 0, 7)], limit)).toEqual([{ error: TOO_BIG }])
    expect(decoded([fragments(0, 11)], limit)).toEqual([{ error: TOO_BIG }])
    expect(decoded([fragments(10, 0, 0, 1)], limit)).toEqual([{ error: TOO_BIG }])
    // And for each message anew.
    expect(decoded([Buffer.concat([fragments(5, 5), fragments(10), fragments(9, 1)])], limit)).toHaveLength(3)
  })

  test('does not apply maxPayload to control frames', () => {
    const bytes = clientFrames(
      { opcode: ping, payload: 'x'.repeat(125) },
      { opcode: pong, payload: 'x'.repeat(125) },
    )
    expect(decoded([bytes], { maxPayload: 10 })).toHaveLength(2)
  })

  test.each([1, 2, 5])(
    'accepts maxFragments (%d) frames and refuses one more, empty or not',
    (maxFragments) => {
      for (const payload of ['', 'x']) {
        const fragments = (count: number): Buffer =>
          clientFrames(
            ...Array.from({ length: count }, (_, index) => ({
              opcode: index === 0 ? text : continuation,
              payload,
              fin: index === count - 1,
            })),
          )
        for (const sizes of [[1_000_000], [1]]) {
          const message = { text: payload.repeat(maxFragments) }
          const twice = Buffer.concat([fragments(maxFragments), fragments(maxFragments)])
          expect(decoded(inChunks(twice, sizes), { maxFragments })).toEqual([message, message])
          expect(decoded(inChunks(fragments(maxFragments + 1), sizes), { maxFragments })).toEqual([
            { error: FRAGMENTS },
          ])
        }
      }
    },
  )

  test('does not count control frames as fragments', () => {
    const bytes = clientFrames(
      begun,
      { opcode: ping },
      { opcode: pong },
      { opcode: ping },
      { opcode: continuation },
    )
    expect(decoded([bytes], { maxFragments: 2 })).toHaveLength(4)
  })
})
