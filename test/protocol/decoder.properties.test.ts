import { constants, deflateRawSync } from 'node:zlib'
import { Decoder, type DecoderOptions, encodeFrame, MessageInflater } from 'hubwire/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inChunks } from '../support/chunks.js'
import type { FrameParts } from '../support/raw-frame.js'
import { describe as describeFound, type Found, RecordingSink } from '../support/recording-sink.js'
import { DeflatingPeer } from '../support/zlib-peer.js'
import { runs } from '../support/runs.js'
import {
  arbitrarySizes,
  arbitraryTraffic,
  expectedOf,
  framesOf,
  bytesOf,
  type Traffic,
} from './arbitrary-traffic.js'

const role = fc.constantFrom('client' as const, 'server' as const)

/** What a decoder finds in chunks that a socket hands over, which waits while the decoder is held. */
async function read(
  chunks: readonly Buffer[],
  options: DecoderOptions,
  inflater?: MessageInflater,
): Promise<string[]> {
  let readOn = (): void => {}
  const sink = new (class extends RecordingSink {
    override onReadingOn(): void {
      if (!decoder.held) readOn()
    }
  })()
  const decoder = new Decoder(sink, options, inflater)
  for (const chunk of chunks) {
    const isRead = new Promise<void>((resolve) => {
      readOn = resolve
    })
    decoder.push(chunk)
    if (decoder.held) await isRead
  }
  return sink.transcript
}

function transcriptOf(found: readonly Found[]): string[] {
  return found.map(describeFound)
}

describe('a decoder reads what the other end sent', () => {
  test('with any messages, fragments, masks, control frames and chunks', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryTraffic, arbitrarySizes, role, async (traffic, sizes, from) => {
        const bytes = bytesOf(framesOf(traffic), from, traffic.keys)
        const expected = transcriptOf(expectedOf(traffic))
        expect(await read(inChunks(bytes, sizes), { from })).toEqual(expected)
        expect(await read([bytes], { from })).toEqual(expected)
      }),
      { numRuns: runs(300) },
    )
  })

  test('as frames that the library encodes', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryTraffic, arbitrarySizes, role, async (traffic, sizes, from) => {
        const frames = framesOf(traffic).map((frame, index) => encoded(frame, from, traffic, index))
        expect(await read(inChunks(Buffer.concat(frames), sizes), { from })).toEqual(
          transcriptOf(expectedOf(traffic)),
        )
      }),
    )
  })

  test('compressed, with and without context takeover, with any window, some messages uncompressed', async () => {
    const settings = fc.record({
      windowBits: fc.integer({ min: 9, max: 15 }),
      contextTakeover: fc.boolean(),
      plain: fc.integer({ min: 1, max: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(
        arbitraryTraffic,
        arbitrarySizes,
        role,
        settings,
        async (traffic, sizes, from, { windowBits, contextTakeover, plain }) => {
          const peer = new DeflatingPeer(windowBits)
          const compressed: Buffer[] = []
          for (const [index, { payload }] of traffic.sendings.entries()) {
            if (index % plain === plain - 1 && plain > 1) continue
            compressed[index] = contextTakeover ? await peer.compress(payload) : compress(payload, windowBits)
          }
          const bytes = bytesOf(framesOf(traffic, compressed), from, traffic.keys)
          for (const chunks of [inChunks(bytes, sizes), [bytes]]) {
            const inflater = new MessageInflater({ windowBits, contextTakeover })
            expect(await read(chunks, { from }, inflater)).toEqual(transcriptOf(expectedOf(traffic)))
          }
        },
      ),
      { numRuns: runs(100) },
    )
  })

  test('with reading stopped by hold() after each event or by an allowance', () => {
    fc.assert(
      fc.property(arbitraryTraffic, arbitrarySizes, role, (traffic, sizes, from) => {
        const chunks = inChunks(bytesOf(framesOf(traffic), from, traffic.keys), sizes)
        const sink: RecordingSink = new RecordingSink(() => {
          decoder.hold()
        })
        const decoder = new Decoder(sink, { from })
        for (const chunk of chunks) decoder.push(chunk)
        let before = -1
        while (sink.found.length > before) {
          before = sink.found.length
          decoder.release()
          expect(sink.found.length).toBeLessThanOrEqual(before + 1)
        }
        expect(sink.transcript).toEqual(transcriptOf(expectedOf(traffic)))
      }),
    )
    fc.assert(
      fc.property(
        arbitraryTraffic,
        arbitrarySizes,
        role,
        fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1 }),
        (traffic, sizes, from, allowances) => {
          const chunks = inChunks(bytesOf(framesOf(traffic), from, traffic.keys), sizes)
          const sink = new RecordingSink()
          const decoder = new Decoder(sink, { from })
          let turn = 0
          const resume = (): void => {
            decoder.allowance = allowances[turn++ % allowances.length]!
            decoder.resume()
          }
          for (const chunk of chunks) {
            decoder.push(chunk)
            if (turn % 3 === 0) resume()
          }
          while (decoder.isExhausted) resume()
          expect(sink.transcript).toEqual(transcriptOf(expectedOf(traffic)))
        },
      ),
    )
  })
})

function encoded(frame: FrameParts, from: 'client' | 'server', traffic: Traffic, index: number): Buffer {
  const { opcode, payload = '', fin = true } = frame
  const maskingKey = Uint8Array.from(traffic.keys[index % traffic.keys.length]!)
  return encodeFrame(payload, { opcode, fin, ...(from === 'client' ? { maskingKey } : {}) })
}

function compress(payload: Buffer, windowBits: number): Buffer {
  return deflateRawSync(payload, { windowBits, finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
}

/** Options under which more is refused. */
const strictness: fc.Arbitrary<Omit<DecoderOptions, 'from'>> = fc.record({
  maxPayload: fc.constantFrom(20, 130, 100_000, 200_000),
  maxFragments: fc.constantFrom(1, 2, 1000, 2000),
  skipUTF8Validation: fc.boolean(),
  textType: fc.constantFrom('string', 'buffer'),
})

/** Bytes set, inserted or left out at places counted from either end. */
interface Change {
  readonly kind: 'set' | 'insert' | 'remove'
  readonly place: number
  readonly byte: number
}

const changes: fc.Arbitrary<Change[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('set', 'insert', 'remove'),
    place: fc.oneof(fc.nat(30), fc.nat(500)),
    byte: fc.oneof(fc.nat(255), fc.constantFrom(0x00, 0x7e, 0x7f, 0x80, 0x88, 0xc1, 0xfe, 0xff)),
  }),
  { maxLength: 3 },
)

function changed(bytes: Buffer, changes: readonly Change[]): Buffer {
  let result = Buffer.from(bytes)
  for (const { kind, place, byte } of changes) {
    const at = Math.min(place, result.length)
    const behind = result.subarray(kind === 'insert' ? at : at + 1)
    result = Buffer.concat([
      result.subarray(0, at),
      kind === 'remove' ? Buffer.alloc(0) : Buffer.of(byte),
      behind,
    ])
  }
  return result
}

function changedTraffic([traffic, from, changes]: [Traffic, 'client' | 'server', Change[]]): [
  Buffer,
  'client' | 'server',
] {
  return [changed(bytesOf(framesOf(traffic), from, traffic.keys), changes), from]
}

/** Bytes that look like frames more often than by chance. */
const wild: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40, size: 'max' }),
      fc
        .tuple(fc.constantFrom(0x01, 0x81, 0x82, 0x80, 0x00, 0xc1, 0x41, 0x88, 0x89, 0x8a), fc.nat(255))
        .map(([first, second]) => Uint8Array.of(first, second)),
      fc.constantFrom(Uint8Array.of(0x81, 0xfe, 0, 126), Uint8Array.of(0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0)),
    ),
    { maxLength: 12, size: 'max' },
  )
  .map((parts) => Buffer.concat(parts))

/** Checks that only the last event is an end, and which ends there are. */
function expectOneEnd(transcript: readonly string[]): void {
  const ends = transcript.filter((event) => /^(close|error) /.test(event))
  expect(ends.length).toBeLessThanOrEqual(1)
  if (ends.length > 0) expect(transcript.at(-1)).toBe(ends[0])
  for (const end of ends) {
    if (end.startsWith('error')) expect(end).toMatch(/^error WS_ERR_[A-Z0-9_]+ (1002|1007|1008|1009)$/)
  }
}

describe('a decoder that receives arbitrary bytes', () => {
  test('reports at most one error or Close, and nothing after it', async () => {
    await fc.assert(
      fc.asyncProperty(
        wild,
        arbitrarySizes,
        role,
        strictness,
        fc.boolean(),
        async (bytes, sizes, from, options, deflate) => {
          const inflater = deflate
            ? new MessageInflater({ windowBits: 15, contextTakeover: true })
            : undefined
          const settings = { ...options, from }
          expectOneEnd(await read(inChunks(bytes, sizes), settings, inflater))
        },
      ),
      { numRuns: runs(1000) },
    )
  })

  test('delivers the valid frames in front of arbitrary bytes', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryTraffic, wild, arbitrarySizes, role, async (traffic, bytes, sizes, from) => {
        const open = { ...traffic, close: undefined }
        const all = Buffer.concat([bytesOf(framesOf(open), from, traffic.keys), bytes])
        const expected = transcriptOf(expectedOf(open))
        const found = await read(inChunks(all, sizes), { from })
        expect(found.slice(0, expected.length)).toEqual(expected)
        expectOneEnd(found)
      }),
      { numRuns: runs(200) },
    )
  })

  test('reads a frame in one chunk and in many chunks alike, valid or not', async () => {
    const sent = fc.oneof(
      { weight: 1, arbitrary: fc.tuple(wild, role) },
      { weight: 3, arbitrary: fc.tuple(arbitraryTraffic, role, changes).map(changedTraffic) },
    )
    await fc.assert(
      fc.asyncProperty(sent, arbitrarySizes, strictness, async ([bytes, from], sizes, options) => {
        const settings = { ...options, from }
        const beginning = bytes.subarray(0, 400)
        const whole = await read([Buffer.from(bytes)], settings)
        expect(await read(inChunks(bytes, sizes), settings)).toEqual(whole)
        expect(await read(inChunks(beginning, [1]), settings)).toEqual(
          await read([Buffer.from(beginning)], settings),
        )
      }),
      { numRuns: runs(600) },
    )
  })

  test('reads altered compressed messages alike in one chunk and in many', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryTraffic,
        changes,
        arbitrarySizes,
        strictness,
        async (traffic, changes, sizes, options) => {
          const compressed = traffic.sendings.map(({ payload }) => compress(payload, 15))
          const bytes = changed(bytesOf(framesOf(traffic, compressed), 'client', traffic.keys), changes)
          const found = async (chunks: readonly Buffer[]): Promise<string[]> =>
            read(
              chunks,
              { ...options, from: 'client' },
              new MessageInflater({ windowBits: 15, contextTakeover: true }),
            )
          const whole = await found([Buffer.from(bytes)])
          expect(await found(inChunks(bytes, sizes))).toEqual(whole)
          expectOneEnd(whole)
        },
      ),
      { numRuns: runs(200) },
    )
  })
})
