import { constants, deflateRawSync } from 'node:zlib'
import { Decoder, MessageInflater, Opcode } from 'hubwire/protocol'
import { describe, expect, test } from 'vitest'
import { FRAME_COST, INFLATE_COST } from '#src/protocol/decoder.js'
import { clientFrame, clientFrames } from '../support/raw-frame.js'
import { RecordingSink } from '../support/recording-sink.js'

const { binary, continuation, ping, text } = Opcode
const COMPRESSED = 4

function reading(allowance: number, inflater?: MessageInflater): { decoder: Decoder; sink: RecordingSink } {
  const sink = new RecordingSink()
  const decoder = new Decoder(sink, { from: 'client' }, inflater)
  decoder.allowance = allowance
  return { decoder, sink }
}

function compressed(message: string | Buffer): Buffer {
  return deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
}

describe('a decoder with an allowance (F39)', () => {
  test('stops before the next frame once it is used up, and resumes with a new one', () => {
    const { decoder, sink } = reading(2 * FRAME_COST)
    decoder.push(clientFrames(...Array.from({ length: 5 }, () => ({ opcode: ping, payload: 'x' }))))
    expect(sink.found).toHaveLength(2)
    expect(decoder.isExhausted).toBe(true)
    decoder.resume()
    expect(sink.found).toHaveLength(2)
    decoder.allowance = FRAME_COST
    decoder.resume()
    expect(sink.found).toHaveLength(3)
    decoder.allowance = Infinity
    decoder.resume()
    expect(sink.found).toHaveLength(5)
    expect(decoder.isExhausted).toBe(false)
  })

  test('keeps what is pushed while it is stopped', () => {
    const { decoder, sink } = reading(0)
    for (const byte of clientFrames({ opcode: text, payload: 'one' }, { opcode: text, payload: 'two' })) {
      decoder.push(Buffer.of(byte))
    }
    expect(sink.found).toEqual([])
    decoder.allowance = Infinity
    decoder.resume()
    expect(sink.found).toEqual([{ text: 'one' }, { text: 'two' }])
  })

  test('charges each frame and each byte of its payload', () => {
    const { decoder } = reading(1_000_000)
    decoder.push(clientFrame({ opcode: binary, payload: Buffer.alloc(1000) }))
    expect(decoder.allowance).toBe(1_000_000 - FRAME_COST - 1000)
    decoder.push(clientFrame({ opcode: ping, payload: Buffer.alloc(100) }))
    expect(decoder.allowance).toBe(1_000_000 - 2 * FRAME_COST - 1100)
    const frame = clientFrame({ opcode: binary, payload: Buffer.alloc(500) })
    decoder.push(frame.subarray(0, 108))
    expect(decoder.allowance).toBe(1_000_000 - 3 * FRAME_COST - 1200)
    decoder.push(frame.subarray(108))
    expect(decoder.allowance).toBe(1_000_000 - 3 * FRAME_COST - 1600)
  })

  test('charges each byte that a compressed message inflates to', () => {
    const { decoder, sink } = reading(
      1_000_000,
      new MessageInflater({ windowBits: 15, contextTakeover: false }),
    )
    const payload = compressed(Buffer.alloc(10_000))
    decoder.push(clientFrame({ opcode: binary, payload, rsv: COMPRESSED }))
    expect(sink.found).toHaveLength(1)
    expect(decoder.allowance).toBe(1_000_000 - FRAME_COST - payload.length - INFLATE_COST - 10_000)
  })

  test.each([2, 16])('charges each of the %i deflate streams of a message', (streams) => {
    const { decoder, sink } = reading(
      1_000_000,
      new MessageInflater({ windowBits: 15, contextTakeover: false }),
    )
    // Blocks marked as the last, behind which the message goes on (RFC 7692 section 7.2.3.4).
    const finished = Array<Buffer>(streams - 1).fill(deflateRawSync('x'))
    const payload = Buffer.concat([...finished, compressed('x')])
    decoder.push(clientFrame({ opcode: text, payload, rsv: COMPRESSED }))
    expect(sink.found).toEqual([{ text: 'x'.repeat(streams) }])
    expect(decoder.allowance).toBe(1_000_000 - FRAME_COST - payload.length - streams * INFLATE_COST - streams)
  })

  test('stops between empty fragments that complete no message', () => {
    const { decoder, sink } = reading(10 * FRAME_COST)
    const fragments = Array.from({ length: 98 }, () => ({ opcode: continuation, fin: false }))
    decoder.push(
      clientFrames({ opcode: text, fin: false }, ...fragments, { opcode: continuation, payload: 'end' }),
    )
    let turns = 1
    while (decoder.isExhausted) {
      decoder.allowance = 10 * FRAME_COST
      decoder.resume()
      turns++
    }
    expect(sink.found).toEqual([{ text: 'end' }])
    expect(turns).toBe(11)
  })

  test('is not exhausted once it is finished', () => {
    const { decoder } = reading(0)
    expect(decoder.isExhausted).toBe(true)
    decoder.finish()
    expect(decoder.isExhausted).toBe(false)
  })
})
