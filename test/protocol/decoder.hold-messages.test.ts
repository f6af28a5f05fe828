import { constants, deflateRawSync } from 'node:zlib'
import { Decoder, MessageInflater, Opcode } from 'hubwire/protocol'
import { describe, expect, test } from 'vitest'
import { clientFrames, type FrameParts, frameBytes } from '../support/raw-frame.js'
import { type Found, RecordingSink } from '../support/recording-sink.js'

const { binary, close, continuation, ping, pong, text } = Opcode
const COMPRESSED = 4

/** Keeps its result until it is told to hand it over, as the thread pool does. */
class ManualInflater extends MessageInflater {
  handOver = (): void => {}

  constructor() {
    super({ windowBits: 15, contextTakeover: false })
  }

  override inflate(...[bytes, limit, callback]: Parameters<MessageInflater['inflate']>): void {
    super.inflate(bytes, limit, (...result) => {
      this.handOver = () => callback(...result)
    })
  }
}

function reading(react?: (found: Found) => void): {
  decoder: Decoder
  sink: RecordingSink
  inflater: ManualInflater
} {
  const sink = new RecordingSink(react)
  const inflater = new ManualInflater()
  return { decoder: new Decoder(sink, { from: 'client' }, inflater), sink, inflater }
}

function compressedText(message: string): FrameParts {
  const payload = deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
  return { opcode: text, payload, rsv: COMPRESSED }
}

describe('holdMessages', () => {
  test('delivers control frames up to the next message', () => {
    const { decoder, sink } = reading()
    decoder.holdMessages()
    expect(decoder.held).toBe(true)
    decoder.push(
      clientFrames(
        { opcode: ping, payload: '1' },
        { opcode: pong, payload: '2' },
        { opcode: text, payload: '3' },
        { opcode: ping, payload: '4' },
      ),
    )
    expect(sink.found).toEqual([{ ping: Buffer.from('1') }, { pong: Buffer.from('2') }])
    decoder.release()
    expect(decoder.held).toBe(false)
    expect(sink.found.slice(2)).toEqual([{ text: '3' }, { ping: Buffer.from('4') }])
  })

  test('delivers a Close that arrives before the next message', () => {
    const { decoder, sink } = reading()
    decoder.holdMessages()
    decoder.push(clientFrames({ opcode: close }))
    expect(sink.found).toEqual([{ close: [1005, ''] }])
  })

  test('delivers control frames that arrive byte by byte and are followed by others', () => {
    const { decoder, sink } = reading()
    decoder.holdMessages()
    for (const byte of clientFrames({ opcode: ping }, { opcode: pong }, { opcode: text, payload: 'text' })) {
      decoder.push(Buffer.of(byte))
    }
    expect(sink.found).toEqual([{ ping: Buffer.alloc(0) }, { pong: Buffer.alloc(0) }])
    decoder.release()
    expect(sink.found.at(-1)).toEqual({ text: 'text' })
  })

  test('stops in the middle of a frame', () => {
    const { decoder, sink } = reading()
    const bytes = clientFrames({ opcode: text, payload: 'text' }, { opcode: ping })
    decoder.push(bytes.subarray(0, 8))
    decoder.holdMessages()
    decoder.push(bytes.subarray(8))
    expect(sink.found).toEqual([])
    decoder.release()
    expect(sink.found).toEqual([{ text: 'text' }, { ping: Buffer.alloc(0) }])
  })

  test('stops between two fragments, after the control frames between them', () => {
    const { decoder, sink } = reading((found) => {
      if ('ping' in found) decoder.holdMessages()
    })
    decoder.push(
      clientFrames(
        { opcode: text, payload: 'te', fin: false },
        { opcode: ping },
        { opcode: pong },
        { opcode: continuation, payload: 'xt' },
      ),
    )
    expect(sink.found).toEqual([{ ping: Buffer.alloc(0) }, { pong: Buffer.alloc(0) }])
    decoder.release()
    expect(sink.found.at(-1)).toEqual({ text: 'text' })
  })

  test('holds a message that is being inflated, and everything after it (F18)', () => {
    const { decoder, sink, inflater } = reading()
    decoder.push(clientFrames(compressedText('one'), { opcode: ping }, { opcode: text, payload: 'two' }))
    decoder.holdMessages()
    inflater.handOver()
    expect(sink.found).toEqual([])
    decoder.release()
    expect(sink.found).toEqual([{ text: 'one' }, { ping: Buffer.alloc(0) }, { text: 'two' }])
  })

  test('reports at once that a message cannot be inflated', () => {
    const { decoder, sink, inflater } = reading()
    decoder.push(clientFrames({ opcode: binary, payload: Buffer.alloc(9, 0xff), rsv: COMPRESSED }))
    decoder.holdMessages()
    inflater.handOver()
    expect(sink.found).toEqual([{ error: ['WS_ERR_INVALID_DEFLATE_DATA', 1007] }])
  })

  test('delivers in order what the sink pushes while it receives an inflated message', () => {
    const { decoder, sink, inflater } = reading((found) => {
      if (!('text' in found) || found.text !== 'one') return
      decoder.push(clientFrames({ opcode: ping }))
      decoder.release()
      expect(sink.found).toHaveLength(1)
    })
    decoder.push(clientFrames(compressedText('one'), { opcode: text, payload: 'two' }))
    inflater.handOver()
    expect(sink.found).toEqual([{ text: 'one' }, { text: 'two' }, { ping: Buffer.alloc(0) }])
  })
})

describe('discard (F2)', () => {
  test('counts whole messages, and neither control frames nor unfinished messages', () => {
    const { decoder, sink } = reading()
    decoder.hold()
    decoder.push(
      clientFrames(
        { opcode: text, payload: 'one' },
        { opcode: ping, payload: 'ping' },
        { opcode: binary, payload: Buffer.alloc(200), fin: false },
        { opcode: pong },
        { opcode: continuation, payload: Buffer.alloc(70_000) },
        { opcode: binary, payload: Buffer.alloc(80_000) },
        { opcode: text, payload: 'begun', fin: false },
        { opcode: continuation, payload: 'cut' },
      ).subarray(0, -1),
    )
    expect(decoder.discard()).toBe(3)
    decoder.release()
    expect(sink.found).toEqual([])
    expect(decoder.discard()).toBe(0)
  })

  test('counts the same in chunks of any size', () => {
    const bytes = clientFrames(
      { opcode: text, payload: 'one' },
      { opcode: binary, payload: Buffer.alloc(1000) },
      { opcode: text, payload: 'three' },
    )
    for (const size of [1, 7, 100, 600, 1200]) {
      const { decoder } = reading()
      decoder.holdMessages()
      for (let start = 0; start < bytes.length; start += size) {
        decoder.push(Buffer.from(bytes.subarray(start, start + size)))
      }
      expect(decoder.discard()).toBe(3)
    }
  })

  test('counts a message whose frame is being read', () => {
    for (const fin of [true, false]) {
      const { decoder } = reading()
      const bytes = clientFrames({ opcode: text, payload: 'text', fin }, { opcode: ping })
      decoder.push(bytes.subarray(0, 8))
      decoder.hold()
      decoder.push(bytes.subarray(8))
      expect(decoder.discard()).toBe(fin ? 1 : 0)
    }
  })

  test('counts a message that is being inflated, or that has been inflated and not delivered', () => {
    for (const isInflated of [false, true]) {
      const { decoder, sink, inflater } = reading()
      decoder.push(clientFrames(compressedText('one'), { opcode: text, payload: 'two' }))
      decoder.holdMessages()
      if (isInflated) inflater.handOver()
      expect(decoder.discard()).toBe(2)
      inflater.handOver()
      decoder.release()
      expect(sink.found).toEqual([])
    }
  })

  test('counts unmasked messages of a server', () => {
    const decoder = new Decoder(new RecordingSink(), { from: 'server' })
    decoder.hold()
    decoder.push(
      Buffer.concat([frameBytes({ opcode: text, payload: 'one' }), frameBytes({ opcode: binary })]),
    )
    expect(decoder.discard()).toBe(2)
  })

  test('counts nothing after a Close', () => {
    const { decoder } = reading()
    decoder.hold()
    decoder.push(clientFrames({ opcode: text }, { opcode: close }, { opcode: text }))
    expect(decoder.discard()).toBe(1)
  })

  test('does not count a frame whose header is incomplete', () => {
    const bytes = clientFrames({ opcode: binary, payload: Buffer.alloc(300) })
    for (const length of [1, 2, 3, 7]) {
      const { decoder } = reading()
      decoder.hold()
      decoder.push(bytes.subarray(0, length))
      expect(decoder.discard()).toBe(0)
    }
  })
})
