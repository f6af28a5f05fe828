import { promisify } from 'node:util'
import { constants, deflateRawSync, inflateRaw } from 'node:zlib'
import { MessageInflater, ProtocolError } from 'hubwire/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { enqueue } from '#src/protocol/zlib-pool.js'
import { heldBytes } from '../support/garbage-collection.js'
import { noise, records } from '../support/sample-messages.js'
import { DeflatingPeer, FLUSH_TAIL } from '../support/zlib-peer.js'
import { runs } from '../support/runs.js'

const MEBIBYTE = 1024 * 1024
const WINDOWS = [9, 10, 11, 12, 13, 14, 15]

function inflate(inflater: MessageInflater, compressed: Buffer, limit = MEBIBYTE): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    inflater.inflate(compressed, limit, (result) => {
      if (result instanceof ProtocolError) reject(result)
      else resolve(result)
    })
  })
}

/** The message, or the error's code and close code, from an inflater without a history. */
async function inflated(compressed: Buffer, limit?: number): Promise<Buffer | [string, number]> {
  try {
    return await inflate(new MessageInflater({ windowBits: 15, contextTakeover: false }), compressed, limit)
  } catch (error) {
    if (error instanceof ProtocolError) return [error.code, error.closeCode]
    throw error
  }
}

async function textOf(hex: string): Promise<string> {
  return String(await inflated(Buffer.from(hex, 'hex')))
}

/** A whole deflate stream, its last block marked as such. */
function finished(bytes: Buffer, dictionary?: Buffer): Buffer {
  return deflateRawSync(bytes, dictionary === undefined ? {} : { dictionary })
}

function compressed(bytes: Buffer): Buffer {
  const flushed = deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })
  return flushed.subarray(0, -FLUSH_TAIL.length)
}

const TOO_BIG = ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009]
const INVALID = ['WS_ERR_INVALID_DEFLATE_DATA', 1007]

describe('a message', () => {
  test.each([
    ['of one block (RFC 7692 section 7.2.3.1)', 'f248cdc9c90700', 'Hello'],
    ['without compression (section 7.2.3.3)', '000500faff48656c6c6f00', 'Hello'],
    ['of a last block (section 7.2.3.4)', 'f348cdc9c9070000', 'Hello'],
    ['of a last block and nothing behind it', 'f348cdc9c90700', 'Hello'],
    ['of two blocks (section 7.2.3.5)', 'f248050000 00ffffcac9c90700'.replace(' ', ''), 'Hello'],
    ['that is empty (section 7.2.3.6)', '00', ''],
    // What Python's websockets sends where zlib has nothing to flush: no byte, or the tail of what came before.
    ['of no bytes', '', ''],
    ['that kept its tail', 'f248cdc9c907000000ffff', 'Hello'],
    ['of a last block that kept a tail', 'f348cdc9c90700000000ffff', 'Hello'],
  ])('%s', async (_name, hex, text) => {
    expect(await textOf(hex)).toBe(text)
  })

  test('is inflated if it refers to the one before it (section 7.2.3.2)', async () => {
    const inflater = new MessageInflater({ windowBits: 15, contextTakeover: true })
    for (const hex of ['f248cdc9c90700', 'f200110000']) {
      expect(String(await inflate(inflater, Buffer.from(hex, 'hex')))).toBe('Hello')
    }
  })

  test('is refused if it refers to an earlier one without context takeover', async () => {
    const inflater = new MessageInflater({ windowBits: 15, contextTakeover: false })
    await inflate(inflater, Buffer.from('f248cdc9c90700', 'hex'))
    await expect(inflate(inflater, Buffer.from('f200110000', 'hex'))).rejects.toMatchObject({
      code: 'WS_ERR_INVALID_DEFLATE_DATA',
      closeCode: 1007,
      message: 'The message cannot be inflated: invalid distance too far back',
    })
  })

  test('is inflated synchronously if it is short, in the thread pool if it is long', async () => {
    const inflater = new MessageInflater({ windowBits: 15, contextTakeover: false })
    let isHere = false
    inflater.inflate(compressed(records(5)), MEBIBYTE, () => (isHere = true))
    expect(isHere).toBe(true)
    const long = compressed(noise(20_000))
    const result = new Promise<Buffer | ProtocolError>((resolve) => {
      isHere = false
      inflater.inflate(long, MEBIBYTE, (result) => {
        isHere = true
        resolve(result)
      })
    })
    expect(isHere).toBe(false)
    expect(noise(20_000).equals((await result) as Buffer)).toBe(true)
  })

  test('waits for a free place in the pool if it is long', async () => {
    const ends: (() => void)[] = []
    for (let job = 0; job < 8; job++) enqueue((done) => ends.push(done))
    const inflater = new MessageInflater({ windowBits: 15, contextTakeover: false })
    let isHere = false
    const bytes = compressed(noise(20_000))
    const result = inflate(inflater, bytes).then(() => (isHere = true))
    // What is started behind it, and does not wait, ends before it.
    for (let turn = 0; turn < 20; turn++) await inflateElsewhere(bytes)
    expect(isHere).toBe(false)
    for (const end of ends) end()
    await result
  })
})

const inflateElsewhere = promisify((bytes: Buffer, callback: (error: Error | null) => void) => {
  inflateRaw(bytes, { finishFlush: constants.Z_SYNC_FLUSH }, callback)
})

describe('a peer', () => {
  test.each(WINDOWS)('with a window of %d bits and context takeover', async (windowBits) => {
    const peer = new DeflatingPeer(windowBits)
    const inflater = new MessageInflater({ windowBits, contextTakeover: true })
    const messages = [
      ...Array.from({ length: 60 }, (_, index) => records((index * 7) % 23, index % 5)),
      noise(700),
      noise(40_000, 2),
      Buffer.from('x'),
      records(5, 1),
      noise(40_000, 2),
      Buffer.alloc(500_000, 'a'),
      noise(700),
    ]
    for (const message of messages) {
      expect((await inflate(inflater, await peer.compress(message))).equals(message)).toBe(true)
    }
  })

  // zlib's 9 bits reach back 250 bytes, which 8 bits hold.
  test('with a window of 8 bits', async () => {
    const peer = new DeflatingPeer(9)
    const inflater = new MessageInflater({ windowBits: 8, contextTakeover: true })
    for (let index = 0; index < 40; index++) {
      const message = records(index % 4, index % 3)
      expect((await inflate(inflater, await peer.compress(message))).equals(message)).toBe(true)
    }
  })

  test('that marks the last block of each message and still refers to earlier messages', async () => {
    const inflater = new MessageInflater({ windowBits: 15, contextTakeover: true })
    let history = Buffer.alloc(0)
    for (let index = 0; index < 20; index++) {
      const message = records(index % 6, index % 2)
      const bytes = Buffer.concat([finished(message, history), Buffer.of(0)])
      expect((await inflate(inflater, bytes)).equals(message)).toBe(true)
      history = Buffer.concat([history, message]).subarray(-32_768)
    }
  })
})

describe('a message with final blocks in the middle', () => {
  const parts = Array.from({ length: 17 }, (_, index) => records(3, index))

  test.each([2, 3, 16])('inflates %d streams', async (count) => {
    const message = Buffer.concat(parts.slice(0, count))
    const bytes = Buffer.concat(parts.slice(0, count).map((part) => finished(part)))
    expect(message.equals((await inflated(bytes)) as Buffer)).toBe(true)
  })

  test('inflates a stream without a final block after one with it', async () => {
    const bytes = Buffer.concat([finished(parts[0]!), compressed(parts[1]!)])
    expect(Buffer.concat(parts.slice(0, 2)).equals((await inflated(bytes)) as Buffer)).toBe(true)
  })

  test('inflates streams that refer to those before them', async () => {
    const inflater = new MessageInflater({ windowBits: 15, contextTakeover: true })
    const streams = parts
      .slice(0, 5)
      .map((part, index) => finished(part, Buffer.concat(parts.slice(0, index)).subarray(-32_768)))
    const result = await inflate(inflater, Buffer.concat(streams))
    expect(result.equals(Buffer.concat(parts.slice(0, 5)))).toBe(true)
  })

  test('inflates streams in the thread pool', async () => {
    const message = Buffer.concat([noise(30_000), noise(30_000, 3)])
    const bytes = Buffer.concat([finished(noise(30_000)), finished(noise(30_000, 3))])
    expect(message.equals((await inflated(bytes)) as Buffer)).toBe(true)
  })

  // Each costs a start of zlib: two bytes for that would be an attack.
  test.each([17, 10_000])('refuses %d streams', async (count) => {
    const bytes = Buffer.concat(Array<Buffer>(count).fill(finished(Buffer.from('a'))))
    expect(await inflated(bytes)).toEqual(INVALID)
  })

  test('refuses bytes after the last stream that are not valid deflate', async () => {
    expect(await inflated(Buffer.concat([finished(parts[0]!), Buffer.of(0x07)]))).toEqual(INVALID)
  })
})

describe('the limit', () => {
  // 1,000 is short enough for the main thread and noise of 100,000 is not.
  test.each([1000, 100_000])('accepts %d bytes and refuses one more', async (limit) => {
    const message = noise(limit + 1)
    const fitting = await inflated(compressed(message.subarray(1)), limit)
    expect(message.subarray(1).equals(fitting as Buffer)).toBe(true)
    expect(await inflated(compressed(message), limit)).toEqual(TOO_BIG)
  })

  test.each([1000, 100_000])('accepts %d bytes in two streams and refuses one more', async (limit) => {
    const message = noise(limit + 1)
    const streams = (bytes: Buffer): Buffer =>
      Buffer.concat([finished(bytes.subarray(0, 600)), finished(bytes.subarray(600))])
    expect(message.subarray(1).equals((await inflated(streams(message.subarray(1)), limit)) as Buffer)).toBe(
      true,
    )
    expect(await inflated(streams(message), limit)).toEqual(TOO_BIG)
  })

  test('accepts an empty stream after a message of exactly the limit', async () => {
    const message = noise(1000)
    const bytes = Buffer.concat([finished(message), Buffer.of(0)])
    expect(message.equals((await inflated(bytes, 1000)) as Buffer)).toBe(true)
    const more = Buffer.concat([finished(message), finished(Buffer.from('x'))])
    expect(await inflated(more, 1000)).toEqual(TOO_BIG)
  })

  test('names the limit', async () => {
    const inflater = new MessageInflater({ windowBits: 15, contextTakeover: false })
    await expect(inflate(inflater, compressed(noise(1001)), 1000)).rejects.toThrow(
      'The message is longer than maxPayload (1000 bytes)',
    )
  })

  // Fault: undici CVE-2026-1526. On the main thread, on the thread pool, and with a history to keep.
  test.each([
    ['3 MiB of zeros', 3, false],
    ['3 MiB of zeros with context takeover', 3, true],
    ['10 MiB of zeros', 10, false],
    ['40 MiB of zeros', 40, false],
    ['40 MiB of zeros with context takeover', 40, true],
  ])('inflates little more than the limit of 1 MiB for %s', async (_name, mebibytes, contextTakeover) => {
    const bomb = compressed(Buffer.alloc(mebibytes * MEBIBYTE))
    const inflater = new MessageInflater({ windowBits: 15, contextTakeover })
    const before = process.memoryUsage().arrayBuffers
    await expect(inflate(inflater, bomb)).rejects.toMatchObject({ closeCode: 1009 })
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(3 * MEBIBYTE)
  })

  test('holds no more memory for 300 concurrent bombs of 40 MiB than for a few', async () => {
    const bomb = compressed(Buffer.alloc(40 * MEBIBYTE))
    const before = await heldBytes()
    let ended = 0
    let most = 0
    const bombs = Array.from({ length: 300 }, async () => {
      const result = await inflated(bomb)
      if (++ended % 50 === 0) {
        most = Math.max(most, (await heldBytes()) - before)
      }
      return String(result)
    })
    expect(new Set(await Promise.all(bombs))).toEqual(new Set([String(TOO_BIG)]))
    // What each connection sent waits, compressed as it is; only a few have grown meanwhile.
    expect(most).toBeLessThan(300 * bomb.length + 32 * MEBIBYTE)
  })
})

describe('the work of inflating on the calling thread (F39)', () => {
  const NO_TAKEOVER = { windowBits: 15, contextTakeover: false }

  /** Inflates, and tells whether the callback was called at once. */
  async function inflatedAtOnce(
    message: Buffer,
    limit = 4 * MEBIBYTE,
  ): Promise<[boolean, Buffer | ProtocolError]> {
    let isAtOnce = true
    const result = await new Promise<[boolean, Buffer | ProtocolError]>((resolve) => {
      new MessageInflater(NO_TAKEOVER).inflate(message, limit, (result) => {
        resolve([isAtOnce, result])
      })
      isAtOnce = false
    })
    return result
  }

  test.each([
    [32 * 1024, true],
    [32 * 1024 + 1, false],
    [MEBIBYTE, false],
  ])('is bounded by the inflated length of a short message of %i bytes', async (length, isAtOnce) => {
    const message = compressed(Buffer.alloc(length))
    expect(message.length).toBeLessThan(1100)
    const [atOnce, result] = await inflatedAtOnce(message)
    expect(atOnce).toBe(isAtOnce)
    expect((result as Buffer).equals(Buffer.alloc(length))).toBe(true)
  })

  test('is bounded over all deflate streams of a message', async () => {
    const streams = Array.from({ length: 5 }, (_, index) => finished(Buffer.alloc(8 * 1024, index)))
    const payload = Buffer.concat(Array.from({ length: 5 }, (_, index) => Buffer.alloc(8 * 1024, index)))
    const [atOnce, result] = await inflatedAtOnce(Buffer.concat(streams.slice(0, 4)))
    expect(atOnce).toBe(true)
    expect((result as Buffer).equals(payload.subarray(0, 32 * 1024))).toBe(true)
    const [fiveAtOnce, five] = await inflatedAtOnce(Buffer.concat(streams))
    expect(fiveAtOnce).toBe(false)
    expect((five as Buffer).equals(payload)).toBe(true)
  })

  test('suffices to refuse a bomb if maxPayload is lower', async () => {
    const [atOnce, result] = await inflatedAtOnce(compressed(Buffer.alloc(MEBIBYTE)), 1000)
    expect(atOnce).toBe(true)
    expect(result).toMatchObject({ code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' })
  })
})

describe('refuses invalid deflate data:', () => {
  test.each([
    ['a block type that there is not', '07'],
    ['a stored block whose length contradicts itself', '00050000004865'],
    ['a distance beyond the beginning', 'f200110000'],
    ['text', Buffer.from('Hello, this is not compressed').toString('hex')],
    ['ones', 'ffffffffff'],
  ])('%s', async (_name, hex) => {
    expect(await inflated(Buffer.from(hex, 'hex'))).toEqual(INVALID)
  })

  test('a message long enough for the thread pool', async () => {
    expect(await inflated(Buffer.alloc(20_000, 0xff))).toEqual(INVALID)
  })

  // A sync flush takes what there is and says nothing: an unfinished message must not pass for a short one.
  test.each([
    ['short', Buffer.from('Hello, Hello, Hello')],
    ['of several hundred bytes', records(12)],
  ])('a message cut short anywhere (%s)', async (_name, message) => {
    const whole = compressed(message)
    const taken = []
    for (let length = 1; length < whole.length; length++) {
      const result = await inflated(whole.subarray(0, length))
      if (Buffer.isBuffer(result)) taken.push(length)
    }
    expect(taken).toEqual([])
    expect(message.equals((await inflated(whole)) as Buffer)).toBe(true)
  })

  test('a long message cut short', async () => {
    const whole = compressed(noise(100_000))
    for (const length of [50_000, whole.length - 1]) {
      const result = await inflated(whole.subarray(0, length))
      expect(Buffer.isBuffer(result) ? `${result.length} bytes` : result).toEqual(INVALID)
    }
  })

  test('inflates or refuses any bytes and any altered message, and never throws', async () => {
    const good = compressed(records(10))
    const changed = fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 })
      .map((changes) => {
        const bytes = Buffer.from(good)
        for (const [index, byte] of changes) bytes[index] = byte
        return bytes
      })
    const any = fc.uint8Array({ maxLength: 200, size: 'max' }).map((bytes) => Buffer.from(bytes))
    await fc.assert(
      fc.asyncProperty(fc.oneof(any, changed), async (bytes) => {
        const result = await inflated(bytes, 2000)
        if (Buffer.isBuffer(result)) expect(result.length).toBeLessThanOrEqual(2000)
        else expect([TOO_BIG, INVALID]).toContainEqual(result)
      }),
      { numRuns: runs(500) },
    )
  })
})
