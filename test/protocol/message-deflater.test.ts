import { constants, inflateRawSync } from 'node:zlib'
import { type DeflaterSettings, MessageDeflater } from 'hubwire/protocol'
import { describe, expect, test } from 'vitest'
import { replaceInZlib } from '../support/replace-in-zlib.js'
import { noise, records } from '../support/sample-messages.js'
import { FLUSH_TAIL, InflatingPeer } from '../support/zlib-peer.js'

const SETTINGS: DeflaterSettings = {
  windowBits: 15,
  contextTakeover: false,
  threshold: 0,
  level: -1,
  memLevel: 8,
}

const WINDOWS = [9, 10, 11, 12, 13, 14, 15]

/** Short and long, with and without what went before, and now and then nothing at all. */
const MESSAGES: readonly Buffer[] = [
  ...Array.from({ length: 60 }, (_, index) => records((index * 7) % 23, index % 5)),
  noise(700),
  Buffer.alloc(0),
  noise(40_000, 2),
  records(5, 1),
  noise(40_000, 2),
  Buffer.alloc(100_000, 'a'),
  Buffer.from('x'),
]

function inflated(compressed: Buffer, windowBits = 15): Buffer {
  return inflateRawSync(Buffer.concat([compressed, FLUSH_TAIL]), {
    windowBits,
    finishFlush: constants.Z_SYNC_FLUSH,
  })
}

function later(deflater: MessageDeflater, payload: Buffer, fin = true): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    deflater.deflateLater(payload, fin, (error, compressed) => {
      if (error === null) resolve(compressed)
      else reject(error)
    })
  })
}

describe('MessageDeflater', () => {
  test('compresses the example of RFC 7692 section 7.2.3.1', () => {
    const compressed = new MessageDeflater(SETTINGS).deflateNow(Buffer.from('Hello'), true)
    expect(compressed.toString('hex')).toBe('f248cdc9c90700')
  })

  test('compresses an empty message to one byte, as in RFC 7692 section 7.2.3.6', () => {
    expect(new MessageDeflater(SETTINGS).deflateNow(Buffer.alloc(0), true).toString('hex')).toBe('00')
  })

  test.each(WINDOWS)(
    'compresses with context takeover for a peer with a window of %d bits',
    async (windowBits) => {
      const deflater = new MessageDeflater({ ...SETTINGS, windowBits, contextTakeover: true })
      const peer = new InflatingPeer(windowBits)
      for (const [index, message] of MESSAGES.entries()) {
        const compressed =
          index % 9 === 8 ? await later(deflater, message) : deflater.deflateNow(message, true)
        expect((await peer.decompress(compressed)).equals(message)).toBe(true)
      }
    },
  )

  test.each(WINDOWS)(
    'compresses without context takeover for a peer with a window of %d bits',
    async (windowBits) => {
      const deflater = new MessageDeflater({ ...SETTINGS, windowBits })
      for (const [index, message] of MESSAGES.entries()) {
        const compressed =
          index % 9 === 8 ? await later(deflater, message) : deflater.deflateNow(message, true)
        expect(inflated(compressed, windowBits).equals(message)).toBe(true)
      }
    },
  )

  test('refers to earlier messages only with context takeover', () => {
    const first = noise(3000)
    const takeover = new MessageDeflater({ ...SETTINGS, contextTakeover: true })
    expect(takeover.deflateNow(first, true).length).toBeGreaterThan(3000)
    expect(takeover.deflateNow(first, true).length).toBeLessThan(100)
    const alone = new MessageDeflater(SETTINGS)
    alone.deflateNow(first, true)
    expect(alone.deflateNow(first, true).length).toBeGreaterThan(3000)
  })

  test('keeps the tail of each fragment except for the last', async () => {
    for (const contextTakeover of [true, false]) {
      const deflater = new MessageDeflater({ ...SETTINGS, contextTakeover })
      const peer = new InflatingPeer(15)
      for (const message of [records(20), records(20), Buffer.alloc(0)]) {
        const third = Math.floor(message.length / 3)
        const fragments = [
          deflater.deflateNow(message.subarray(0, third), false),
          await later(deflater, message.subarray(third, 2 * third), false),
          deflater.deflateNow(message.subarray(2 * third), true),
        ]
        expect(fragments[0]!.subarray(-4)).toEqual(FLUSH_TAIL)
        expect((await peer.decompress(Buffer.concat(fragments))).equals(message)).toBe(true)
      }
    }
  })

  test.each([-1, 0, 1, 9])('compresses with level %d', (level) => {
    const message = records(30)
    const compressed = new MessageDeflater({ ...SETTINGS, level }).deflateNow(message, true)
    expect(inflated(compressed).equals(message)).toBe(true)
    if (level === 0) expect(compressed.length).toBeGreaterThan(message.length)
    else expect(compressed.length).toBeLessThan(message.length / 2)
  })

  test.each([1, 9])('compresses with memLevel %d', (memLevel) => {
    const compressed = new MessageDeflater({ ...SETTINGS, memLevel }).deflateNow(records(30), true)
    expect(inflated(compressed).equals(records(30))).toBe(true)
  })

  test('does not call a long payload quick', () => {
    const deflater = new MessageDeflater(SETTINGS)
    expect(deflater.isQuick(Buffer.alloc(8 * 1024))).toBe(true)
    expect(deflater.isQuick(Buffer.alloc(8 * 1024 + 1))).toBe(false)
    expect(deflater.settings).toEqual(SETTINGS)
  })

  test('passes a failure of zlib in the thread pool to the callback', async () => {
    const failure = new Error('zlib has no memory')
    replaceInZlib('deflateRaw', (_payload: unknown, _options: unknown, callback: (error: Error) => void) => {
      setImmediate(callback, failure)
    })
    await expect(later(new MessageDeflater(SETTINGS), records(1000))).rejects.toBe(failure)
  })

  test('does not refer to messages from before forget()', async () => {
    const deflater = new MessageDeflater({ ...SETTINGS, contextTakeover: true })
    const first = noise(3000)
    deflater.deflateNow(first, true)
    deflater.forget()
    const compressed = deflater.deflateNow(first, true)
    expect(inflated(compressed).equals(first)).toBe(true)
  })

  test('has nothing to forget without context takeover', () => {
    const deflater = new MessageDeflater(SETTINGS)
    deflater.forget()
    expect(inflated(deflater.deflateNow(Buffer.from('text'), true)).toString()).toBe('text')
  })
})

describe('a message compressed without context takeover', () => {
  test('can be inflated by any member of a group, whatever it received before', async () => {
    const shared = new MessageDeflater(SETTINGS).deflateNow(records(10), true)
    const deflater = new MessageDeflater({ ...SETTINGS, contextTakeover: true })
    const peer = new InflatingPeer(15)
    for (const message of [records(3), noise(50_000)]) {
      expect((await peer.decompress(deflater.deflateNow(message, true))).equals(message)).toBe(true)
      expect((await peer.decompress(shared)).equals(records(10))).toBe(true)
      deflater.forget()
    }
    expect(inflated(shared).equals(records(10))).toBe(true)
  })

  test.each(WINDOWS)('keeps to a window of %d bits', (windowBits) => {
    const compressed = new MessageDeflater({ ...SETTINGS, windowBits }).deflateNow(records(300), true)
    expect(inflated(compressed, windowBits).equals(records(300))).toBe(true)
  })
})
