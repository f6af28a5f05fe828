import { inflateRawSync } from 'node:zlib'
import { Hub, type PerMessageDeflateOptions } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { settled } from '../support/event-loop.js'
import { inbox, take } from '../support/inbox.js'
import { type MemoryPair, memoryPair } from '../support/memory-pair.js'
import { FrameReader, type ReceivedFrame } from '../support/raw-frame.js'
import { records } from '../support/sample-messages.js'
import { FLUSH_TAIL } from '../support/zlib-peer.js'

type Deflate = PerMessageDeflateOptions | boolean

function members(count: number, deflate: Deflate = false): Promise<MemoryPair[]> {
  const options = { server: { perMessageDeflate: deflate }, client: { perMessageDeflate: deflate !== false } }
  return Promise.all(Array.from({ length: count }, () => memoryPair(options)))
}

function groupOf(...pairs: MemoryPair[]) {
  const group = new Hub().group('g')
  for (const { socket } of pairs) group.add(socket)
  return group
}

/** The Buffers that were written, for each member. */
function written(pairs: MemoryPair[]): Buffer[][] {
  return pairs.map(({ serverEnd }) => serverEnd.batches.flat())
}

/** The number of different Buffer objects, whatever their contents. */
function distinct(buffers: Buffer[]): number {
  return new Set(buffers).size
}

function frames({ serverEnd }: MemoryPair): ReceivedFrame[] {
  return new FrameReader().push(serverEnd.bytes)
}

const long = records(40).toString()

describe('encodes once', () => {
  test('and writes the same Buffer to all members', async () => {
    const pairs = await members(10)
    groupOf(...pairs).broadcast('hello')
    await settled()
    for (const buffers of written(pairs)) expect(buffers.length).toBe(1)
    expect(distinct(written(pairs).flat())).toBe(1)
    expect(frames(pairs[0]!)).toMatchObject([{ opcode: 1, fin: true, rsv: 0, payload: Buffer.from('hello') }])
  })

  test('and writes the broadcasts of one tick as one Buffer in one write', async () => {
    const pairs = await members(10)
    const group = groupOf(...pairs)
    for (let index = 0; index < 16; index++) group.broadcast(`message ${index}`)
    await settled()
    expect(pairs.map(({ serverEnd }) => serverEnd.batches.length)).toEqual(Array(10).fill(1))
    expect(distinct(written(pairs).flat())).toBe(1)
    expect(frames(pairs[9]!).map(({ payload }) => payload.toString())).toEqual(
      Array.from({ length: 16 }, (_, index) => `message ${index}`),
    )
  })

  test('and shares the broadcasts of several groups among members of the same groups', async () => {
    const pairs = await members(6)
    const hub = new Hub()
    for (const [index, { socket }] of pairs.entries()) {
      hub.group('all').add(socket)
      hub.group(index < 3 ? 'first' : 'second').add(socket)
    }
    hub.broadcast('all', '1')
    hub.broadcast('first', '2')
    hub.broadcast('second', '3')
    hub.broadcast('all', '4')
    await settled()
    expect(pairs.map(({ serverEnd }) => serverEnd.batches.length)).toEqual(Array(6).fill(1))
    expect(distinct(written(pairs.slice(0, 3)).flat())).toBe(1)
    expect(distinct(written(pairs.slice(3)).flat())).toBe(1)
    expect(frames(pairs[0]!).map(({ payload }) => payload.toString())).toEqual(['1', '2', '4'])
    expect(frames(pairs[5]!).map(({ payload }) => payload.toString())).toEqual(['1', '3', '4'])
  })

  test('and writes a member’s own sequence in one write while the others share theirs', async () => {
    const pairs = await members(5)
    const group = groupOf(...pairs)
    const [spared, addressed] = pairs as [MemoryPair, MemoryPair]
    group.broadcast('1')
    group.broadcast('2', { except: spared.socket })
    addressed.socket.send('for you')
    group.broadcast('3')
    await settled()
    expect(pairs.map(({ serverEnd }) => serverEnd.batches.length)).toEqual(Array(5).fill(1))
    expect(distinct(written(pairs.slice(2)).flat())).toBe(1)
    const texts = pairs.slice(0, 3).map((pair) => frames(pair).map(({ payload }) => payload.toString()))
    expect(texts).toEqual([
      ['1', '3'],
      ['1', '2', 'for you', '3'],
      ['1', '2', '3'],
    ])
  })

  test('and does not copy a long broadcast for any member', async () => {
    const pairs = await members(5)
    const group = groupOf(...pairs)
    group.broadcast('before')
    group.broadcast('x'.repeat(100_000))
    group.broadcast('after')
    await settled()
    expect(pairs.map(({ serverEnd }) => serverEnd.batches.length)).toEqual(Array(5).fill(1))
    const ofLong = written(pairs).map((buffers) => buffers.find(({ length }) => length > 100_000))
    expect(ofLong.every((buffer) => buffer !== undefined && buffer === ofLong[0])).toBe(true)
    // The short messages before and after it are shared too.
    expect(distinct(written(pairs).flat())).toBe(3)
  })

  test('but masks for each client separately', async () => {
    const pairs = await members(3)
    const group = new Hub().group('g')
    for (const { client } of pairs) group.add(client)
    group.broadcast('masked'.repeat(10))
    await settled()
    const read = pairs.map(({ clientEnd }) => new FrameReader().push(clientEnd.bytes))
    for (const found of read) {
      expect(found).toMatchObject([{ opcode: 1, masked: true, payload: Buffer.from('masked'.repeat(10)) }])
    }
    expect(new Set(pairs.map(({ clientEnd }) => clientEnd.bytes.toString('hex'))).size).toBe(3)
  })
})

describe('compresses once', () => {
  test('for all members without context takeover', async () => {
    const pairs = await members(10, true)
    const plain = await members(3)
    groupOf(...pairs, ...plain).broadcast(long)
    await settled()
    expect(distinct(written(pairs).flat())).toBe(1)
    expect(distinct(written(plain).flat())).toBe(1)
    const [frame] = frames(pairs[0]!)
    expect(frame).toMatchObject({ opcode: 1, fin: true, rsv: 4 })
    expect(inflateRawSync(Buffer.concat([frame!.payload, FLUSH_TAIL, Buffer.of(3, 0)])).toString()).toBe(long)
    expect(frame!.payload.length).toBeLessThan(long.length / 2)
    expect(frames(plain[0]!)).toMatchObject([{ rsv: 0, payload: Buffer.from(long) }])
  })

  test('for each different window, level or memLevel', async () => {
    const kinds: Deflate[] = [
      true,
      { serverMaxWindowBits: 9 },
      { serverMaxWindowBits: 10 },
      { zlibDeflateOptions: { level: 1 } },
      { zlibDeflateOptions: { memLevel: 9 } },
    ]
    const byKind = await Promise.all(kinds.map((kind) => members(3, kind)))
    const all = byKind.flat()
    const inboxes = all.map(({ client }) => inbox(client))
    groupOf(...all).broadcast(long)
    for (const messages of inboxes) expect(await messages.next()).toBe(long)
    for (const pairs of byKind) expect(distinct(written(pairs).flat())).toBe(1)
    expect(distinct(written(all).flat())).toBe(kinds.length)
  })

  test('for members with equal settings on different servers', async () => {
    const pairs = [...(await members(2, {})), ...(await members(2, { serverMaxWindowBits: 15 }))]
    groupOf(...pairs).broadcast(long)
    await settled()
    expect(distinct(written(pairs).flat())).toBe(1)
  })

  test('but sends short messages and those with compress: false uncompressed to all', async () => {
    const pairs = [
      ...(await members(2, true)),
      ...(await members(2)),
      ...(await members(2, { threshold: 10 })),
    ]
    const group = groupOf(...pairs)
    group.broadcast('x'.repeat(1023))
    group.broadcast(long, { compress: false })
    await settled()
    const rsv = pairs.map((pair) => frames(pair).map((frame) => frame.rsv))
    // The last two have a different threshold.
    expect(rsv).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
      [0, 0],
      [4, 0],
      [4, 0],
    ])
    expect(distinct(written(pairs.slice(0, 4)).flat())).toBe(1)
    expect(distinct(written(pairs.slice(4)).flat())).toBe(1)
  })

  test('bytes whose length reaches the threshold', async () => {
    const pairs = await members(1, { threshold: 100 })
    const group = groupOf(...pairs)
    for (const length of [99, 100]) group.broadcast(Buffer.alloc(length))
    // In bytes, not in UTF-16 units.
    group.broadcast('ü'.repeat(50))
    group.broadcast('ü'.repeat(49))
    await settled()
    expect(frames(pairs[0]!).map(({ opcode, rsv }) => [opcode, rsv])).toEqual([
      [2, 0],
      [2, 4],
      [1, 4],
      [1, 0],
    ])
  })

  test('for members with context takeover, whose own messages do not refer to anything before it', async () => {
    const takeover = { serverNoContextTakeover: false, clientNoContextTakeover: false, threshold: 0 }
    const options = { server: { perMessageDeflate: takeover }, client: { perMessageDeflate: takeover } }
    const pairs = await Promise.all([memoryPair(options), memoryPair(options)])
    const group = groupOf(...pairs)
    const inboxes = pairs.map(({ client }) => inbox(client))
    pairs[0].socket.send(long)
    await settled()
    const first = written(pairs)[0]!.reduce((sum, { length }) => sum + length, 0)
    for (const { serverEnd } of pairs) serverEnd.batches.length = 0
    pairs[0].socket.send(long)
    await settled()
    const second = written(pairs)[0]!.reduce((sum, { length }) => sum + length, 0)
    // Context takeover works: the repeated message is little more than a reference to the first.
    expect(second).toBeLessThan(first / 4)
    for (const { serverEnd } of pairs) serverEnd.batches.length = 0
    const other = records(40, 2).toString()
    group.broadcast(other)
    await settled()
    expect(distinct(written(pairs).flat())).toBe(1)
    pairs[0].socket.send(long)
    pairs[0].socket.send(other)
    group.broadcast(long)
    pairs[0].socket.send(other)
    expect(await take(inboxes[0]!, 7)).toEqual([long, long, other, long, other, long, other])
    expect(await take(inboxes[1]!, 2)).toEqual([other, long])
  })

  test('but compresses nothing for closed members and encodes nothing for an empty group', async () => {
    const [pair] = (await members(1, true)) as [MemoryPair]
    const group = groupOf(pair)
    pair.socket.terminate()
    expect(group.broadcast(long)).toEqual({ delivered: 0, skipped: 1 })
    await settled()
    expect(written([pair])).toEqual([[]])
    expect(group.broadcast(long)).toEqual({ delivered: 0, skipped: 0 })
  })
})
