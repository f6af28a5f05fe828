import { constants } from 'node:buffer'
import { Decoder, encodeFrame, Opcode } from 'hubwire/protocol'
import { describe, expect, test } from 'vitest'
import { inChunks } from '../support/chunks.js'
import { clientFrame, clientFrames, type FrameParts, frameBytes } from '../support/raw-frame.js'
import { decoded, type Found, RecordingSink } from '../support/recording-sink.js'
import { noise } from '../support/sample-messages.js'

const { binary, close, continuation, ping, pong, text } = Opcode

function fromServer(...frames: readonly FrameParts[]): Buffer {
  return Buffer.concat(frames.map((parts) => frameBytes(parts)))
}

/** A conversation with everything in it that may be. */
const CONVERSATION: readonly FrameParts[] = [
  { opcode: text, payload: 'Hello' },
  { opcode: binary, payload: Buffer.of(0, 255, 128) },
  { opcode: text, payload: '' },
  { opcode: ping, payload: 'ping' },
  { opcode: text, payload: 'first, ', fin: false },
  { opcode: ping },
  { opcode: continuation, payload: '', fin: false },
  // Its first byte is 0, which a state must not mistake for "none".
  { opcode: continuation, payload: 'sécond, ', fin: false },
  { opcode: pong, payload: 'p'.repeat(125) },
  { opcode: continuation, payload: 'third' },
  { opcode: binary, payload: '', fin: false },
  { opcode: continuation, payload: '' },
  { opcode: text, payload: 'κόσμε'.repeat(40) },
  { opcode: binary, payload: noise(70_000) },
  { opcode: close, payload: Buffer.from([0x03, 0xe8, 0x62, 0x79, 0x65]) },
]

const EVENTS: readonly Found[] = [
  { text: 'Hello' },
  { binary: Buffer.of(0, 255, 128) },
  { text: '' },
  { ping: Buffer.from('ping') },
  { ping: Buffer.alloc(0) },
  { pong: Buffer.alloc(125, 'p') },
  { text: 'first, sécond, third' },
  { binary: Buffer.alloc(0) },
  { text: 'κόσμε'.repeat(40) },
  { binary: noise(70_000) },
  { close: [1000, 'bye'] },
]

function transcriptOf(chunks: readonly Buffer[], from: 'client' | 'server'): string[] {
  const sink = new RecordingSink()
  const decoder = new Decoder(sink, { from })
  for (const chunk of chunks) decoder.push(chunk)
  return sink.transcript
}

const EXPECTED = new RecordingSink()
EXPECTED.found.push(...EVENTS)

describe('reads a conversation', () => {
  test.each([1, 2, 3, 5, 7, 16, 100, 1000, 65_536, 1_000_000])('in chunks of %d bytes', (size) => {
    expect(transcriptOf(inChunks(clientFrames(...CONVERSATION), [size]), 'client')).toEqual(
      EXPECTED.transcript,
    )
    expect(transcriptOf(inChunks(fromServer(...CONVERSATION), [size]), 'server')).toEqual(EXPECTED.transcript)
  })

  test('in one chunk for each frame', () => {
    const frames = CONVERSATION.map(({ opcode, payload = '', fin = true }, index) =>
      encodeFrame(payload, { opcode, fin, maskingKey: noise(4, index + 1) }),
    )
    expect(transcriptOf(frames, 'client')).toEqual(EXPECTED.transcript)
  })

  test('ignores empty chunks', () => {
    const chunks = inChunks(clientFrames(...CONVERSATION), [9]).flatMap((chunk) => [Buffer.alloc(0), chunk])
    expect(transcriptOf(chunks, 'client')).toEqual(EXPECTED.transcript)
  })

  test('reads messages whose lengths are around the limits of the header forms', () => {
    for (const length of [125, 126, 127, 65_535, 65_536, 65_537]) {
      for (const sizes of [[1_000_000], [11], [3, 4000]]) {
        const payload = noise(length)
        const found = decoded(inChunks(clientFrames({ opcode: binary, payload }), sizes))
        expect(found).toHaveLength(1)
        expect(payload.equals((found[0] as { binary: Buffer }).binary)).toBe(true)
      }
    }
  })
})

describe('text', () => {
  test('keeps a leading U+FEFF', () => {
    const bytes = clientFrames({ opcode: text, payload: '\ufefftext' })
    expect(decoded([Buffer.from(bytes)])).toEqual([{ text: '\ufefftext' }])
    expect(decoded(inChunks(bytes, [4]))).toEqual([{ text: '\ufefftext' }])
  })

  test('can be cut within a character by fragments and chunks', () => {
    const bytes = Buffer.from('a€\u{1f600}z')
    const frames = Array.from(bytes, (byte, index) => ({
      opcode: index === 0 ? text : continuation,
      payload: Buffer.of(byte),
      fin: index === bytes.length - 1,
    }))
    expect(decoded([clientFrames(...frames)])).toEqual([{ text: 'a€\u{1f600}z' }])
    expect(decoded(inChunks(clientFrames(...frames), [1]))).toEqual([{ text: 'a€\u{1f600}z' }])
  })

  test("is delivered as a Buffer with textType: 'buffer'", () => {
    const bytes = clientFrames({ opcode: text, payload: 'é' }, { opcode: binary, payload: 'b' })
    const expected = [{ text: Buffer.from('é') }, { binary: Buffer.from('b') }]
    expect(decoded([Buffer.from(bytes)], { textType: 'buffer' })).toEqual(expected)
    expect(decoded(inChunks(bytes, [5]), { textType: 'buffer' })).toEqual(expected)
    const sink = new RecordingSink()
    new Decoder(sink, { from: 'client', textType: 'string' }).push(bytes)
    expect(sink.found[0]).toEqual({ text: 'é' })
  })

  test.each([[[1000]], [[3]], [[1]]])(
    'is not validated with skipUTF8Validation, in chunks of %j',
    (sizes) => {
      const frames = [
        { opcode: text, payload: Buffer.from('a\xff\xc3\xa9', 'latin1') },
        { opcode: text, payload: Buffer.from('b\xff', 'latin1'), fin: false },
        { opcode: continuation, payload: 'c' },
        { opcode: text, payload: Buffer.from('\xe2\x82', 'latin1') },
        { opcode: text, payload: 'ascii' },
      ]
      const expected = [{ text: 'a\ufffdé' }, { text: 'b\ufffdc' }, { text: '\ufffd' }, { text: 'ascii' }]
      expect(decoded(inChunks(clientFrames(...frames), sizes), { skipUTF8Validation: true })).toEqual(
        expected,
      )
      expect(
        decoded(inChunks(fromServer(...frames), sizes), { from: 'server', skipUTF8Validation: true }),
      ).toEqual(expected)
    },
  )
})

describe('a Close frame', () => {
  test.each<[string, number[], readonly [number, string]]>([
    ['without a payload', [], [1005, '']],
    ['with a code', [0x03, 0xe9], [1001, '']],
    ['with a code and a reason', [0x13, 0x87, 0xc3, 0xa9], [4999, 'é']],
    ['with the longest reason', [0x03, 0xe8, ...Array<number>(123).fill(0x61)], [1000, 'a'.repeat(123)]],
  ])('%s', (_name, payload, expected) => {
    const bytes = clientFrames({ opcode: close, payload: Buffer.from(payload) })
    expect(decoded([Buffer.from(bytes)])).toEqual([{ close: expected }])
    expect(decoded(inChunks(bytes, [1]))).toEqual([{ close: expected }])
  })

  test('is the last frame that is read, in its chunk and in later ones', () => {
    const behind = clientFrames({ opcode: text, payload: 'late' }, { opcode: ping }, { opcode: close })
    const bytes = Buffer.concat([clientFrames({ opcode: close }), behind, noise(100)])
    expect(decoded([bytes, clientFrame({ opcode: text, payload: 'later' }), noise(100)])).toEqual([
      { close: [1005, ''] },
    ])
  })

  test('ends an unfinished message', () => {
    const bytes = clientFrames({ opcode: text, payload: 'lost', fin: false }, { opcode: close })
    expect(decoded([bytes])).toEqual([{ close: [1005, ''] }])
  })
})

describe('memory', () => {
  test('leaves a payload unchanged when more is read', () => {
    const found = decoded(inChunks(clientFrames(...CONVERSATION), [20_000]))
    expect(found).toHaveLength(EVENTS.length)
    expect(noise(70_000).equals((found[9] as { binary: Buffer }).binary)).toBe(true)
  })

  test('does not keep a read buffer alive through what it delivers', () => {
    const chunk = Buffer.alloc(65_536)
    const frames = clientFrames(
      { opcode: binary, payload: 'message' },
      { opcode: ping, payload: 'ping' },
      { opcode: pong, payload: 'pong' },
      { opcode: binary, payload: 'frag', fin: false },
      { opcode: continuation, payload: 'ment' },
    )
    frames.copy(chunk)
    const found = decoded([chunk.subarray(0, frames.length)])
    expect(found).toHaveLength(4)
    for (const event of found) {
      const [payload] = Object.values(event) as [Buffer]
      expect(payload.buffer).not.toBe(chunk.buffer)
    }
  })

  test('delivers a large message without a copy', () => {
    const chunk = clientFrame({ opcode: binary, payload: noise(60_000) })
    const [event] = decoded([chunk])
    expect((event as { binary: Buffer }).binary.buffer).toBe(chunk.buffer)
  })
})

test("limits messages by V8's longest string if maxPayload is 0 or beyond it", () => {
  const beyond = BigInt(constants.MAX_STRING_LENGTH) + 1n
  for (const maxPayload of [0, 2 ** 40, Number.POSITIVE_INFINITY]) {
    const header = clientFrame({ opcode: text, length: BigInt(constants.MAX_STRING_LENGTH) })
    expect(decoded([header], { maxPayload })).toEqual([])
    const longer = clientFrame({ opcode: text, length: beyond })
    expect(decoded([longer], { maxPayload })).toEqual([
      { error: ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009] },
    ])
  }
})

test('accepts messages of up to 1 MiB by default', () => {
  const header = (length: bigint): Buffer => clientFrame({ opcode: binary, length })
  expect(decoded([header(1_048_576n)])).toEqual([])
  expect(decoded([header(1_048_577n)])).toEqual([{ error: ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009] }])
})
