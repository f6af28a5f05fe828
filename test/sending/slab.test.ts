import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Slab, slabWithRoomFor } from '#src/sending/slab.js'
import { heldBytes } from '../support/garbage-collection.js'
import { settled } from '../support/event-loop.js'
import { inbox, take } from '../support/inbox.js'
import { memoryPair, type MemoryPair } from '../support/memory-pair.js'
import { openPair } from '../support/open-pair.js'
import { FrameReader } from '../support/raw-frame.js'
import { runs } from '../support/runs.js'

/** The location of bytes: their memory, start and end. */
interface Place {
  readonly memory: ArrayBufferLike
  readonly start: number
  readonly end: number
}

/** Records the location of everything that is written to these ends. */
function placesOf(pairs: MemoryPair[]): Place[] {
  const places: Place[] = []
  for (const { serverEnd } of pairs) {
    const write = serverEnd.write.bind(serverEnd)
    serverEnd.write = ((chunk: Buffer, ...rest: []) => {
      places.push({ memory: chunk.buffer, start: chunk.byteOffset, end: chunk.byteOffset + chunk.length })
      return write(chunk, ...rest)
    }) as typeof serverEnd.write
  }
  return places
}

/** The places that overlap with another. */
function overlapping(places: Place[]): Place[] {
  const byMemory = new Map<ArrayBufferLike, Place[]>()
  for (const place of places) byMemory.set(place.memory, [...(byMemory.get(place.memory) ?? []), place])
  return [...byMemory.values()].flatMap((list) => {
    const inOrder = list.sort((one, other) => one.start - other.start)
    return inOrder.filter((place, index) => index > 0 && place.start < inOrder[index - 1]!.end)
  })
}

test('hands out bytes once to streams that keep them, and never overwrites written data', async () => {
  const pairs = await Promise.all(Array.from({ length: 4 }, () => memoryPair()))
  const places = placesOf(pairs)
  const expected = pairs.map((): string[] => [])
  // Several megabytes, in turns, so that all connections fill many slabs.
  for (let round = 0; round < 400; round++) {
    const index = (round * 7) % pairs.length
    const { socket, serverEnd } = pairs[index]!
    if (round % 50 === 0) serverEnd.stall()
    for (let sent = 0; sent <= round % 5; sent++) {
      const text = `${index} ${round} ${sent} `.repeat(((round * 31 + sent) % 300) + 1)
      socket.send(text)
      expected[index]!.push(text)
    }
    if (round % 3 === 0) await settled()
    if (round % 50 === 49) for (const pair of pairs) pair.serverEnd.release()
  }
  for (const { serverEnd } of pairs) serverEnd.release()
  await settled()
  expect(places.length).toBeGreaterThan(100)
  expect(new Set(places.map(({ memory }) => memory)).size).toBeGreaterThan(10)
  expect(overlapping(places)).toEqual([])
  for (const [index, { serverEnd }] of pairs.entries()) {
    const texts = new FrameReader().push(serverEnd.bytes).map(({ payload }) => payload.toString())
    expect(texts.join('\n') === expected[index]!.join('\n')).toBe(true)
  }
})

test('does not overwrite data that waits for a slow reader', async () => {
  const step = fc.record({
    who: fc.nat(2),
    length: fc.oneof(fc.nat(300), fc.constantFrom(2048, 2049, 16_384, 16_385, 40_000)),
    binary: fc.boolean(),
    then: fc.constantFrom('', '', 'tick', 'stall', 'release'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120 }), async (steps) => {
      const pairs = await Promise.all([memoryPair(), memoryPair(), memoryPair()])
      const expected = pairs.map((): string[] => [])
      for (const [index, { who, length, binary, then }] of steps.entries()) {
        const { socket, serverEnd } = pairs[who]!
        const text = `${who}:${index}:`.padEnd(length, 'abcdefghij')
        socket.send(binary ? Buffer.from(text) : text)
        expected[who]!.push(text)
        if (then === 'stall') serverEnd.stall()
        if (then === 'release') serverEnd.release()
        if (then === 'tick') await settled()
      }
      for (const { serverEnd } of pairs) serverEnd.release()
      await settled()
      for (const [who, { serverEnd, socket }] of pairs.entries()) {
        const texts = new FrameReader().push(serverEnd.bytes).map(({ payload }) => payload.toString())
        expect(texts.join('\n') === expected[who]!.join('\n')).toBe(true)
        expect(socket.bufferedAmount).toBe(0)
      }
    }),
    { numRuns: runs(50), interruptAfterTimeLimit: runs(15_000), markInterruptAsFailure: false },
  )
})

test('uses a slab again when sockets have taken all of it', async () => {
  const { client, socket } = await openPair()
  const slabs = new Set<Slab>()
  const received = inbox(client)
  for (let sent = 0; sent < 2000; sent++) {
    socket.send(`${sent} `.repeat(40))
    expect(await received.next()).toBe(`${sent} `.repeat(40))
    slabs.add(slabWithRoomFor(0))
  }
  // 300 KB and more. The first write of a connection may be queued, so the first slab is not used again.
  expect(slabs.size).toBeLessThanOrEqual(2)
})

test('does not overwrite what slow TCP peers have not taken, while others use slabs again', async () => {
  const slow = await Promise.all(Array.from({ length: 8 }, () => openPair()))
  const quick = await openPair()
  const late = slow.map(({ client }) => inbox(client))
  const prompt = inbox(quick.client)
  for (const { client } of slow) client.pause()
  const text = (sent: number): string => `${sent} `.repeat(8000)
  // Until the kernel takes no more of one after the other, and some megabytes beyond that.
  const counts = slow.map(() => 0)
  for (const [index, { socket }] of slow.entries()) {
    while (socket.bufferedAmount < 2_000_000) {
      const sent = text(counts[index]!++)
      for (let start = 0; start < sent.length; start += 4000) socket.send(sent.slice(start, start + 4000))
      quick.socket.send(sent.slice(0, 4000))
      expect((await prompt.next()) === sent.slice(0, 4000)).toBe(true)
    }
  }
  for (const { client } of slow) client.resume()
  for (const [index, count] of counts.entries()) {
    for (let received = 0; received < count; received++) {
      const expected = text(received)
      const pieces = await take(late[index]!, Math.ceil(expected.length / 4000))
      expect(pieces.map(String).join('') === expected).toBe(true)
    }
  }
})

test('does not keep a slab alive for each short message that waits for a slow reader', async () => {
  const slow = await memoryPair()
  const busy = await memoryPair()
  slow.serverEnd.stall()
  slow.socket.send('the first, which the socket has')
  await settled()
  const before = await heldBytes()
  // Each is in another slab, because the busy connection has filled the previous one.
  for (let round = 0; round < 100; round++) {
    slow.socket.send(`waits ${round}`)
    await settled()
    for (let sent = 0; sent < 7; sent++) busy.socket.send(Buffer.alloc(10_000))
    await settled()
    busy.serverEnd.batches.length = 0
  }
  // A hundred slabs would be 6 MB.
  expect((await heldBytes()) - before).toBeLessThan(2_000_000)
  slow.serverEnd.release()
  await settled()
  expect(new FrameReader().push(slow.serverEnd.bytes)).toHaveLength(101)
})
