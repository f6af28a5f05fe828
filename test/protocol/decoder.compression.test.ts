import { constants, deflateRawSync } from 'node:zlib'
import { Decoder, type DecoderOptions, MessageInflater, Opcode } from 'hubwire/protocol'
import { describe, expect, test } from 'vitest'
import { inChunks } from '../support/chunks.js'
import { clientFrame, clientFrames, type FrameParts } from '../support/raw-frame.js'
import { type Found, RecordingSink } from '../support/recording-sink.js'
import { noise, records } from '../support/sample-messages.js'
import { DeflatingPeer } from '../support/zlib-peer.js'

const { binary, close, continuation, ping, pong, text } = Opcode

/** RSV1: the message is compressed (RFC 7692 section 6). */
const COMPRESSED = 4

const TAKEOVER = { windowBits: 15, contextTakeover: true }
const NO_TAKEOVER = { windowBits: 15, contextTakeover: false }

function compressed(message: string | Buffer): Buffer {
  return deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
}

/** A message so long that it is inflated on the thread pool. */
const LONG = noise(20_000)
const LONG_FRAME: FrameParts = { opcode: binary, payload: compressed(LONG), rsv: COMPRESSED }

function reading(
  react?: (found: Found) => void,
  options: Partial<DecoderOptions> = {},
  inflater: MessageInflater = new MessageInflater(NO_TAKEOVER),
): { decoder: Decoder; sink: RecordingSink } {
  const sink = new RecordingSink(react)
  return { decoder: new Decoder(sink, { from: 'client', ...options }, inflater), sink }
}

/** Pushes chunk by chunk, as a socket that is paused meanwhile does; what is there when the last is read. */
async function decoded(
  chunks: readonly Buffer[],
  options: Partial<DecoderOptions> = {},
  inflater?: MessageInflater,
): Promise<Found[]> {
  let readOn = (): void => {}
  const sink = new (class extends RecordingSink {
    override onReadingOn(): void {
      readOn()
    }
  })()
  const decoder = new Decoder(
    sink,
    { from: 'client', ...options },
    inflater ?? new MessageInflater(NO_TAKEOVER),
  )
  for (const chunk of chunks) {
    const isRead = new Promise<void>((resolve) => {
      readOn = (): void => {
        if (!decoder.held) resolve()
      }
    })
    decoder.push(chunk)
    if (decoder.held) await isRead
  }
  return sink.found
}

/** Holds what it has inflated back, until it is told: the thread pool, but when the test wants it. */
class ManualInflater extends MessageInflater {
  #handOver: (() => void) | undefined

  override inflate(...[bytes, limit, callback]: Parameters<MessageInflater['inflate']>): void {
    super.inflate(bytes, limit, (...result) => {
      this.#handOver = () => {
        callback(...result)
      }
    })
  }

  handOver(): void {
    const handOver = this.#handOver!
    this.#handOver = undefined
    handOver()
  }
}

describe('compressed messages', () => {
  test.each([[[1_000_000]], [[1]], [[100, 7]]])(
    'are read short and long, text and binary, in chunks of %j',
    async (sizes) => {
      const bytes = clientFrames(
        { opcode: text, payload: compressed('Hellö'), rsv: COMPRESSED },
        { opcode: text, payload: 'plain' },
        { opcode: binary, payload: compressed(records(3)), rsv: COMPRESSED },
        { opcode: text, payload: compressed(''), rsv: COMPRESSED },
        { opcode: binary, rsv: COMPRESSED },
        LONG_FRAME,
      )
      const found = await decoded(inChunks(bytes, sizes))
      expect(found.slice(0, 5)).toEqual([
        { text: 'Hellö' },
        { text: 'plain' },
        { binary: records(3) },
        { text: '' },
        { binary: Buffer.alloc(0) },
      ])
      expect(found).toHaveLength(6)
      expect(LONG.equals((found[5] as { binary: Buffer }).binary)).toBe(true)
    },
  )

  test.each([[[1_000_000]], [[1]], [[5, 300]]])(
    'are read in fragments, with control frames between them, in chunks of %j',
    async (sizes) => {
      const bytes = compressed(records(10))
      const frames = [
        { opcode: text, payload: bytes.subarray(0, 3), fin: false, rsv: COMPRESSED },
        { opcode: ping, payload: 'one' },
        { opcode: continuation, fin: false },
        { opcode: pong, payload: 'two' },
        { opcode: continuation, payload: bytes.subarray(3, 90), fin: false },
        { opcode: continuation, payload: bytes.subarray(90) },
        { opcode: text, payload: 'plain', fin: false },
        { opcode: continuation },
      ]
      expect(await decoded(inChunks(clientFrames(...frames), sizes))).toEqual([
        { ping: Buffer.from('one') },
        { pong: Buffer.from('two') },
        { text: records(10).toString() },
        { text: 'plain' },
      ])
    },
  )

  test('are read with context takeover, and uncompressed messages between them', async () => {
    const peer = new DeflatingPeer(15)
    const frames: Buffer[] = []
    const expected: Found[] = []
    for (let index = 0; index < 40; index++) {
      const message = index % 10 === 9 ? noise(30_000, index) : records(index % 7)
      const payload = index % 4 === 3 ? message : await peer.compress(message)
      frames.push(clientFrame({ opcode: binary, payload, rsv: index % 4 === 3 ? 0 : COMPRESSED }))
      expected.push({ binary: message })
    }
    for (const sizes of [[1_000_000], [999]]) {
      const chunks = inChunks(Buffer.concat(frames), sizes)
      const found = await decoded(chunks, {}, new MessageInflater(TAKEOVER))
      const recorded = new RecordingSink()
      recorded.found.push(...expected)
      const actual = new RecordingSink()
      actual.found.push(...found)
      expect(actual.transcript).toEqual(recorded.transcript)
    }
  })

  test("are delivered as Buffers with textType: 'buffer'", async () => {
    const frame = clientFrame({ opcode: text, payload: compressed('é'), rsv: COMPRESSED })
    expect(await decoded([frame], { textType: 'buffer' })).toEqual([{ text: Buffer.from('é') }])
  })

  test("do not keep zlib's output buffer alive", async () => {
    const frame = clientFrame({ opcode: binary, payload: compressed(noise(5000)), rsv: COMPRESSED })
    const [found] = (await decoded([frame])) as [{ binary: Buffer }]
    expect(found.binary.equals(noise(5000))).toBe(true)
    expect(found.binary.buffer.byteLength).toBeLessThanOrEqual(10_000)
  })
})

describe('violations', () => {
  test.each<[string, readonly FrameParts[], readonly [string, number]]>([
    [
      'RSV1 in a continuation',
      [
        { opcode: text, fin: false, rsv: COMPRESSED },
        { opcode: continuation, rsv: COMPRESSED },
      ],
      ['WS_ERR_UNEXPECTED_RSV_1', 1002],
    ],
    [
      'RSV1 in the continuation of a plain message',
      [
        { opcode: text, fin: false },
        { opcode: continuation, rsv: COMPRESSED },
      ],
      ['WS_ERR_UNEXPECTED_RSV_1', 1002],
    ],
    ['RSV1 in a Ping', [{ opcode: ping, rsv: COMPRESSED }], ['WS_ERR_UNEXPECTED_RSV_1', 1002]],
    ['RSV1 in a Close', [{ opcode: close, rsv: COMPRESSED }], ['WS_ERR_UNEXPECTED_RSV_1', 1002]],
    ['RSV2 beside RSV1', [{ opcode: text, rsv: 6 }], ['WS_ERR_UNEXPECTED_RSV_2_3', 1002]],
    [
      'no deflate at all',
      [{ opcode: text, payload: Buffer.alloc(10, 0xff), rsv: COMPRESSED }],
      ['WS_ERR_INVALID_DEFLATE_DATA', 1007],
    ],
    [
      'no deflate at all, long',
      [{ opcode: text, payload: Buffer.alloc(20_000, 0xff), rsv: COMPRESSED }],
      ['WS_ERR_INVALID_DEFLATE_DATA', 1007],
    ],
    [
      'a message cut short',
      [{ opcode: text, payload: compressed(records(5)).subarray(0, 50), rsv: COMPRESSED }],
      ['WS_ERR_INVALID_DEFLATE_DATA', 1007],
    ],
    [
      'text that is none',
      [{ opcode: text, payload: compressed(Buffer.of(0x61, 0xc0)), rsv: COMPRESSED }],
      ['WS_ERR_INVALID_UTF8', 1007],
    ],
    [
      'text that is none, in fragments',
      [
        { opcode: text, payload: compressed(Buffer.of(0x61, 0xc0)), fin: false, rsv: COMPRESSED },
        { opcode: continuation },
      ],
      ['WS_ERR_INVALID_UTF8', 1007],
    ],
    [
      'long text that is none',
      [{ opcode: text, payload: compressed(noise(20_000)), rsv: COMPRESSED }],
      ['WS_ERR_INVALID_UTF8', 1007],
    ],
    [
      'more than the limit, compressed',
      [{ opcode: text, payload: compressed(noise(60_000)), rsv: COMPRESSED }],
      ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009],
    ],
    [
      'more than the limit, inflated',
      [{ opcode: text, payload: compressed(Buffer.alloc(50_001, 'a')), rsv: COMPRESSED }],
      ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009],
    ],
    [
      'more than the limit, inflated in the background',
      [
        {
          opcode: binary,
          payload: compressed(Buffer.concat([noise(40_000), Buffer.alloc(10_001)])),
          rsv: COMPRESSED,
        },
      ],
      ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009],
    ],
  ])('%s', async (_name, frames, error) => {
    const bytes = clientFrames(
      { opcode: ping },
      ...frames,
      { opcode: text, payload: 'behind' },
      { opcode: close },
    )
    for (const sizes of [[1_000_000], [777]]) {
      const found = await decoded(inChunks(bytes, sizes), { maxPayload: 50_000 })
      expect(found).toEqual([{ ping: Buffer.alloc(0) }, { error }])
    }
  })

  test('does not validate compressed text with skipUTF8Validation', async () => {
    const frame = clientFrame({ opcode: text, payload: compressed(Buffer.of(0x61, 0xc0)), rsv: COMPRESSED })
    expect(await decoded([frame], { skipUTF8Validation: true })).toEqual([{ text: 'a\ufffd' }])
  })

  test('accepts a message that inflates to exactly the limit', async () => {
    const frame = clientFrame({
      opcode: text,
      payload: compressed(Buffer.alloc(50_000, 'a')),
      rsv: COMPRESSED,
    })
    expect(await decoded([frame], { maxPayload: 50_000 })).toEqual([{ text: 'a'.repeat(50_000) }])
  })
})

describe('while a message is inflated in the thread pool', () => {
  /** A decoder that inflates `one` and has received `two` after it. */
  function inflatingOne(): { decoder: Decoder; sink: RecordingSink; inflater: ManualInflater } {
    const inflater = new ManualInflater(NO_TAKEOVER)
    const { decoder, sink } = reading(undefined, {}, inflater)
    decoder.push(
      clientFrames(
        { opcode: text, payload: compressed('one'), rsv: COMPRESSED },
        { opcode: text, payload: 'two' },
      ),
    )
    return { decoder, sink, inflater }
  }

  test('reads nothing after it, and everything in order once it is inflated', async () => {
    const found = await decoded([
      clientFrames({ opcode: ping, payload: '1' }, LONG_FRAME, { opcode: ping, payload: '2' }, LONG_FRAME, {
        opcode: close,
      }),
    ])
    expect(found.map((event) => Object.keys(event)[0])).toEqual(['ping', 'binary', 'ping', 'binary', 'close'])
  })

  test('is held, keeps what arrives, and calls onReadingOn when it has resumed', () => {
    const inflater = new ManualInflater(NO_TAKEOVER)
    const { decoder, sink } = reading(undefined, {}, inflater)
    const bytes = clientFrames(
      { opcode: text, payload: compressed('first'), rsv: COMPRESSED },
      { opcode: text, payload: 'second' },
      { opcode: text, payload: compressed('third'), rsv: COMPRESSED },
    )
    decoder.push(bytes.subarray(0, 30))
    decoder.push(bytes.subarray(30))
    decoder.release()
    expect(decoder.held).toBe(true)
    expect(sink.found).toEqual([])
    inflater.handOver()
    expect(decoder.held).toBe(true)
    expect(sink.found).toEqual([{ text: 'first' }, { text: 'second' }])
    expect(sink.readOnAt).toEqual([2])
    inflater.handOver()
    expect(decoder.held).toBe(false)
    expect(sink.found).toHaveLength(3)
    expect(sink.readOnAt).toEqual([2, 3])
  })

  test('does not call onReadingOn for a message that is inflated synchronously', () => {
    const { decoder, sink } = reading()
    decoder.push(clientFrame({ opcode: text, payload: compressed('at once'), rsv: COMPRESSED }))
    expect(sink.found).toEqual([{ text: 'at once' }])
    expect(sink.readOnAt).toEqual([])
  })

  test('works with a sink without onReadingOn', () => {
    const inflater = new ManualInflater(NO_TAKEOVER)
    const found: unknown[] = []
    const sink = {
      onMessage: (data: unknown) => found.push(data),
      onPing: () => {},
      onPong: () => {},
      onClose: () => {},
      onProtocolError: () => {},
    }
    const decoder = new Decoder(sink, { from: 'client' }, inflater)
    decoder.push(clientFrame({ opcode: text, payload: compressed('text'), rsv: COMPRESSED }))
    inflater.handOver()
    expect(found).toEqual(['text'])
  })

  test('delivers that message and no other after hold()', () => {
    const { decoder, sink, inflater } = inflatingOne()
    decoder.hold()
    inflater.handOver()
    expect(sink.found).toEqual([{ text: 'one' }])
    expect(sink.readOnAt).toEqual([1])
    expect(decoder.held).toBe(true)
    decoder.release()
    expect(sink.found).toEqual([{ text: 'one' }, { text: 'two' }])
  })

  test('does not call the sink after finish()', () => {
    const { decoder, sink, inflater } = inflatingOne()
    decoder.finish()
    expect(decoder.held).toBe(false)
    inflater.handOver()
    expect(sink.found).toEqual([])
    expect(sink.readOnAt).toEqual([])
  })

  test('reads nothing after a message that is refused, and calls onReadingOn', () => {
    const inflater = new ManualInflater(NO_TAKEOVER)
    const { decoder, sink } = reading(undefined, {}, inflater)
    decoder.push(
      clientFrames(
        { opcode: text, payload: Buffer.alloc(9, 0xff), rsv: COMPRESSED },
        { opcode: text, payload: 'two' },
      ),
    )
    inflater.handOver()
    expect(sink.found).toEqual([{ error: ['WS_ERR_INVALID_DEFLATE_DATA', 1007] }])
    expect(sink.readOnAt).toEqual([1])
    expect(decoder.held).toBe(false)
  })

  test('reads on when the sink throws', () => {
    const inflater = new ManualInflater(NO_TAKEOVER)
    const failure = new Error('The application failed')
    const { decoder, sink } = reading(
      (found) => {
        if ('text' in found) throw failure
      },
      {},
      inflater,
    )
    decoder.push(
      clientFrames({ opcode: text, payload: compressed('one'), rsv: COMPRESSED }, { opcode: ping }),
    )
    expect(() => {
      inflater.handOver()
    }).toThrow(failure)
    expect(sink.found).toEqual([{ text: 'one' }, { ping: Buffer.alloc(0) }])
    expect(sink.readOnAt).toEqual([2])
    expect(decoder.held).toBe(false)
  })

  test('lets the sink throw out of push() at a message that is inflated synchronously', () => {
    const failure = new Error('The application failed')
    const { decoder, sink } = reading((found) => {
      if ('text' in found) throw failure
    })
    expect(() => {
      decoder.push(
        clientFrames(
          { opcode: text, payload: compressed('one'), rsv: COMPRESSED },
          { opcode: ping, payload: '2' },
        ),
      )
    }).toThrow(failure)
    decoder.release()
    expect(sink.found).toEqual([{ text: 'one' }, { ping: Buffer.from('2') }])
    expect(sink.readOnAt).toEqual([])
  })
})
