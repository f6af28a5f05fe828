import { Decoder, Opcode } from 'hubwire/protocol'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { inChunks } from '../support/chunks.js'
import { clientFrame, clientFrames, frameBytes } from '../support/raw-frame.js'
import { RecordingSink } from '../support/recording-sink.js'

const { binary, close, continuation, ping, pong, text } = Opcode

describe('hold and release', () => {
  const THREE = clientFrames(
    { opcode: text, payload: 'one' },
    { opcode: ping, payload: 'two' },
    { opcode: text, payload: 'three' },
  )

  test('reads nothing while it is held, and everything afterwards, in order', () => {
    const sink = new RecordingSink()
    const decoder = new Decoder(sink, { from: 'client' })
    decoder.hold()
    expect(decoder.held).toBe(true)
    for (const chunk of inChunks(THREE, [4])) decoder.push(chunk)
    expect(sink.found).toEqual([])
    decoder.release()
    expect(decoder.held).toBe(false)
    expect(sink.found).toEqual([{ text: 'one' }, { ping: Buffer.from('two') }, { text: 'three' }])
  })

  test('stops before the next frame if the sink holds it', () => {
    const sink: RecordingSink = new RecordingSink(() => {
      decoder.hold()
    })
    const decoder = new Decoder(sink, { from: 'client' })
    decoder.push(Buffer.from(THREE))
    expect(sink.found).toEqual([{ text: 'one' }])
    decoder.release()
    expect(sink.found).toHaveLength(2)
    decoder.push(clientFrame({ opcode: text, payload: 'four' }))
    expect(sink.found).toHaveLength(2)
    decoder.release()
    decoder.release()
    expect(sink.found.at(-1)).toEqual({ text: 'four' })
  })

  test('continues if the sink holds and releases it', () => {
    const sink: RecordingSink = new RecordingSink(() => {
      decoder.hold()
      decoder.release()
    })
    const decoder = new Decoder(sink, { from: 'client' })
    decoder.push(Buffer.from(THREE))
    expect(sink.found).toHaveLength(3)
  })

  test('stops in the middle of a frame, at each byte', () => {
    for (let cut = 1; cut < THREE.length; cut++) {
      const sink = new RecordingSink()
      const decoder = new Decoder(sink, { from: 'client' })
      decoder.push(Buffer.from(THREE.subarray(0, cut)))
      const before = sink.found.length
      decoder.hold()
      decoder.push(Buffer.from(THREE.subarray(cut)))
      expect(sink.found).toHaveLength(before)
      decoder.release()
      expect(sink.found).toHaveLength(3)
    }
  })

  test('does nothing when released with nothing to read', () => {
    const sink = new RecordingSink()
    const decoder = new Decoder(sink, { from: 'client' })
    decoder.release()
    decoder.hold()
    decoder.release()
    expect(sink.found).toEqual([])
  })
})

describe('what is pushed while the decoder is held (F19)', () => {
  const FRAME = frameBytes({ opcode: binary, payload: Buffer.alloc(1024) })

  /** Counts the bytes that are joined in new Buffers until the test ends. */
  function countJoined(): () => number {
    const concat = vi.spyOn(Buffer, 'concat')
    onTestFinished(() => {
      concat.mockRestore()
    })
    return () => concat.mock.results.reduce((sum, { value }) => sum + (value as Buffer).length, 0)
  }

  test('is joined once, not at each push', () => {
    const joined = countJoined()
    const sink = new RecordingSink()
    const decoder = new Decoder(sink, { from: 'server' })
    decoder.hold()
    for (let count = 0; count < 500; count++) decoder.push(Buffer.from(FRAME))
    decoder.release()
    expect(sink.found).toHaveLength(500)
    expect(joined()).toBeLessThan(2 * 500 * FRAME.length)
  })

  test('is joined once even if each message holds the decoder again', () => {
    const joined = countJoined()
    const sink: RecordingSink = new RecordingSink(() => {
      decoder.hold()
    })
    const decoder = new Decoder(sink, { from: 'server' })
    for (let count = 0; count < 500; count++) {
      decoder.push(Buffer.from(FRAME))
      decoder.push(Buffer.from(FRAME))
      decoder.release()
    }
    while (sink.found.length < 1000) decoder.release()
    expect(joined()).toBeLessThan(2 * 1000 * FRAME.length)
  })

  test('is read in order when a frame spans many chunks', () => {
    const joined = countJoined()
    const sink = new RecordingSink()
    const decoder = new Decoder(sink, { from: 'server' })
    const payload = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * index) & 0xff))
    const bytes = frameBytes({ opcode: binary, payload })
    decoder.hold()
    for (const chunk of inChunks(bytes, [100])) decoder.push(chunk)
    decoder.release()
    expect(sink.found).toHaveLength(1)
    expect(payload.equals((sink.found[0] as { binary: Buffer }).binary)).toBe(true)
    expect(joined()).toBeLessThan(3 * bytes.length)
  })
})

describe('finish', () => {
  test('stops reading', () => {
    const sink = new RecordingSink()
    const decoder = new Decoder(sink, { from: 'client' })
    decoder.push(clientFrame({ opcode: text, payload: 'begun', fin: false }))
    decoder.push(Buffer.of(0x80))
    decoder.finish()
    decoder.push(clientFrame({ opcode: text, payload: 'late' }))
    decoder.release()
    expect(sink.found).toEqual([])
  })

  test('leaves the rest of the chunk unread if the sink calls it', () => {
    for (const opcode of [text, ping, pong]) {
      const sink: RecordingSink = new RecordingSink(() => {
        decoder.finish()
      })
      const decoder = new Decoder(sink, { from: 'client' })
      decoder.push(clientFrames({ opcode, payload: 'one' }, { opcode, payload: 'two' }, { opcode: close }))
      expect(sink.found).toHaveLength(1)
    }
  })

  test('ends a hold', () => {
    const decoder = new Decoder(new RecordingSink(), { from: 'client' })
    decoder.hold()
    decoder.finish()
    expect(decoder.held).toBe(false)
  })
})

describe('a sink that calls the decoder', () => {
  test('gets what it pushes after the bytes that are already there', () => {
    const sink: RecordingSink = new RecordingSink((found) => {
      if (!('ping' in found)) return
      decoder.push(clientFrame({ opcode: text, payload: 'pushed' }))
      decoder.release()
      // Not while the sink is at work on what came before.
      expect(sink.found).toHaveLength(1)
    })
    const decoder = new Decoder(sink, { from: 'client' })
    decoder.push(clientFrames({ opcode: ping }, { opcode: text, payload: 'there' }))
    expect(sink.found).toEqual([{ ping: Buffer.alloc(0) }, { text: 'there' }, { text: 'pushed' }])
  })

  test('may throw out of push() without losing or repeating anything', () => {
    const failure = new Error('The application failed')
    const sink = new RecordingSink((found) => {
      if ('text' in found || 'ping' in found) throw failure
    })
    const decoder = new Decoder(sink, { from: 'client' })
    const frames = clientFrames(
      { opcode: text, payload: 'one' },
      { opcode: ping, payload: 'two' },
      { opcode: text, payload: 'thr', fin: false },
      { opcode: continuation, payload: 'ee' },
      { opcode: binary, payload: 'four' },
    )
    expect(() => {
      decoder.push(frames)
    }).toThrow(failure)
    expect(sink.found).toEqual([{ text: 'one' }])
    const more = clientFrame({ opcode: binary, payload: 'five' })
    expect(() => {
      decoder.push(more)
    }).toThrow(failure)
    expect(() => {
      decoder.release()
    }).toThrow(failure)
    decoder.release()
    expect(sink.found).toEqual([
      { text: 'one' },
      { ping: Buffer.from('two') },
      { text: 'three' },
      { binary: Buffer.from('four') },
      { binary: Buffer.from('five') },
    ])
  })

  test('leaves the decoder finished if it throws at an error or a Close', () => {
    for (const bytes of [clientFrames({ opcode: close }), frameBytes({ opcode: text })]) {
      const sink = new RecordingSink(() => {
        throw new Error('The application failed')
      })
      const decoder = new Decoder(sink, { from: 'client' })
      expect(() => {
        decoder.push(bytes)
      }).toThrow('The application failed')
      decoder.push(clientFrame({ opcode: text, payload: 'late' }))
      expect(sink.found).toHaveLength(1)
    }
  })
})
