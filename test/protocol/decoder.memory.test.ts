import { Decoder, type DecoderOptions, Opcode } from 'hubwire/protocol'
import { describe, expect, test } from 'vitest'
import { inChunks } from '../support/chunks.js'
import { clientFrame, frameBytes } from '../support/raw-frame.js'
import { heldBytes, isCollected } from '../support/garbage-collection.js'
import { RecordingSink } from '../support/recording-sink.js'
import { noise } from '../support/sample-messages.js'

const { binary, continuation, ping, text } = Opcode

const KIBIBYTE = 1024
const MEBIBYTE = 1024 * KIBIBYTE

function reading(options: Partial<DecoderOptions> = {}): { decoder: Decoder; sink: RecordingSink } {
  const sink = new RecordingSink()
  return { decoder: new Decoder(sink, { from: 'client', ...options }), sink }
}

/** Bytes at some place of a memory as large as what a socket is read into. */
function inReadBuffer(bytes: Buffer, offset = 0): Buffer {
  const memory = Buffer.from(new ArrayBuffer(64 * KIBIBYTE))
  bytes.copy(memory, offset)
  return memory.subarray(offset, offset + bytes.length)
}

describe('releases a read buffer that ends with', () => {
  test.each([
    ['one byte of a header', clientFrame({ opcode: binary, payload: 'abc' }).subarray(0, 1)],
    ['a header without its payload', clientFrame({ opcode: binary, payload: 'abc' }).subarray(0, 6)],
    ['a header and some payload', clientFrame({ opcode: binary, payload: 'abc' }).subarray(0, 7)],
    ['a Ping but for its last byte', clientFrame({ opcode: ping, payload: 'abc' }).subarray(0, 8)],
    ['a fragment', clientFrame({ opcode: text, payload: 'abc', fin: false })],
    ['a whole message', clientFrame({ opcode: binary, payload: 'abc' })],
  ])('%s', async (_name, bytes) => {
    for (const offset of [0, 1000]) {
      const { decoder } = reading()
      const push = (): WeakRef<object> => {
        const chunk = inReadBuffer(bytes, offset)
        decoder.push(chunk)
        return new WeakRef(chunk.buffer)
      }
      const memory = push()
      // The memory of the last masking may be kept for the next frame of the chunk; another takes its place.
      reading().decoder.push(clientFrame({ opcode: binary, payload: noise(100) }))
      expect(await isCollected(memory)).toBe(true)
      expect(decoder.held).toBe(false)
    }
  })
})

test('releases the read buffers of small chunks that arrive while it is held', async () => {
  const { decoder, sink } = reading()
  const before = await heldBytes()
  decoder.hold()
  for (let count = 0; count < 500; count++) {
    decoder.push(inReadBuffer(clientFrame({ opcode: binary, payload: noise(100) })))
  }
  expect((await heldBytes()) - before).toBeLessThan(400 * KIBIBYTE)
  decoder.release()
  expect(sink.found).toHaveLength(500)
})

// A read buffer for the most part, and Node's pool: 8 KiB, and 64 KiB since Node 24, for as long as a peer likes.
test('holds little memory for incomplete frames, whatever else is allocated between them', async () => {
  const bytes = [Buffer.of(0x82), clientFrame({ opcode: binary, payload: 'abc', fin: false }).subarray(0, 8)]
  for (const beginning of bytes) {
    const before = await heldBytes()
    const decoders = Array.from({ length: 300 }, () => {
      const { decoder } = reading()
      decoder.push(inReadBuffer(beginning))
      for (let count = 0; count < 4; count++) Buffer.allocUnsafe((Buffer.poolSize >>> 1) - 1)
      return decoder
    })
    expect((await heldBytes()) - before).toBeLessThan(300 * 512 + 128 * KIBIBYTE)
    expect(decoders[0]?.held).toBe(false)
  }
})

test('allocates nothing for a payload of which only the length has arrived', async () => {
  const decoders = Array.from({ length: 1000 }, () => reading().decoder)
  const before = await heldBytes()
  for (const decoder of decoders) decoder.push(clientFrame({ opcode: binary, length: BigInt(MEBIBYTE) }))
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MEBIBYTE)
  expect(decoders[0]?.held).toBe(false)
})

// Faults: ws CVE-2026-48779 and undici CVE-2026-12151.
test('accepts a message of 131,000 fragments of one byte', () => {
  const { decoder, sink } = reading()
  const frames = Array.from({ length: 131_000 }, (_, index) =>
    clientFrame({
      opcode: index === 0 ? binary : continuation,
      payload: Buffer.of(index & 0xff),
      fin: index === 130_999,
    }),
  )
  decoder.push(Buffer.concat(frames))
  const expected = Buffer.from(Array.from({ length: 131_000 }, (_, index) => index & 0xff))
  expect(sink.found).toHaveLength(1)
  expect(expected.equals((sink.found[0] as { binary: Buffer }).binary)).toBe(true)
})

test('holds little memory for fragments of one byte, each in its own read buffer', async () => {
  const { decoder } = reading()
  const before = await heldBytes()
  decoder.push(inReadBuffer(clientFrame({ opcode: binary, payload: 'x', fin: false })))
  for (let count = 1; count < 3000; count++) {
    decoder.push(inReadBuffer(clientFrame({ opcode: continuation, payload: 'x', fin: false })))
  }
  expect((await heldBytes()) - before).toBeLessThan(200 * KIBIBYTE)
  expect(decoder.held).toBe(false)
})

test('refuses a million empty fragments at maxFragments', () => {
  const { decoder, sink } = reading()
  const frames = Array<Buffer>(10_000).fill(clientFrame({ opcode: continuation, fin: false }))
  decoder.push(clientFrame({ opcode: text, fin: false }))
  for (let count = 0; count < 100; count++) decoder.push(Buffer.concat(frames))
  expect(sink.found).toEqual([{ error: ['WS_ERR_TOO_MANY_BUFFERED_PARTS', 1008] }])
})

test('holds about the length of a message that arrives byte by byte', async () => {
  const payload = noise(MEBIBYTE)
  const bytes = frameBytes({ opcode: binary, payload, key: [1, 2, 3, 4] })
  const { decoder, sink } = reading()
  const before = await heldBytes()
  for (let index = 0; index < bytes.length - 1; index++) decoder.push(bytes.subarray(index, index + 1))
  expect(sink.found).toEqual([])
  expect((await heldBytes()) - before).toBeLessThan(2 * MEBIBYTE + 200 * KIBIBYTE)
  decoder.push(bytes.subarray(bytes.length - 1))
  expect(sink.found).toHaveLength(1)
  expect(payload.equals((sink.found[0] as { binary: Buffer }).binary)).toBe(true)
})

describe('holds no memory', () => {
  test.each<[string, (decoder: Decoder) => void]>([
    ['after a failure', (decoder) => decoder.push(Buffer.of(0xff, 0xff))],
    ['after finish', (decoder) => decoder.finish()],
    ['after discard', (decoder) => void decoder.discard()],
  ])('%s', async (_name, end) => {
    const before = await heldBytes()
    const decoders = Array.from({ length: 20 }, () => {
      const { decoder } = reading()
      const bytes = clientFrame({ opcode: binary, payload: noise(500_000), fin: false })
      for (const chunk of inChunks(bytes, [9000])) decoder.push(chunk)
      return decoder
    })
    expect((await heldBytes()) - before).toBeGreaterThan(19 * 500_000)
    for (const decoder of decoders) {
      end(decoder)
      decoder.push(noise(1000))
    }
    expect((await heldBytes()) - before).toBeLessThan(500_000)
    expect(decoders[0]?.held).toBe(false)
  })
})
