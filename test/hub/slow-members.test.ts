import { once } from 'node:events'
import { connect, Hub, type WebSocketServerOptions } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled, turn } from '../support/event-loop.js'
import { heldBytes } from '../support/garbage-collection.js'
import { inbox, take } from '../support/inbox.js'
import { memoryPair } from '../support/memory-pair.js'
import { pausedClient } from '../support/paused-client.js'
import { openAsClient } from '../support/raw-handshake.js'
import { FrameReader } from '../support/raw-frame.js'
import { runningServer } from '../support/running-server.js'

const LIMIT = 256 * 1024
const MESSAGE = 32 * 1024

/** A member whose peer does not read, and one whose peer does. */
async function slowAndQuick(options: WebSocketServerOptions = {}) {
  const { port, url, next } = await runningServer(options)
  const [slowPeer, { socket: slow }] = await Promise.all([pausedClient(port), next()])
  const [quickPeer, { socket: quick }] = await Promise.all([connect(url), next()])
  return { slowPeer, slow, quickPeer, quick, port }
}

describe('a slow member', () => {
  test('is terminated by default, with the reason as the cause, and the others stay connected', async () => {
    const { slowPeer, slow, quickPeer, quick } = await slowAndQuick({ maxBufferedAmount: LIMIT })
    const hub = new Hub()
    const group = hub.group('g').add(slow).add(quick)
    const messages = inbox(quickPeer)
    const closed = closeOf(slow)
    let sent = 0
    while (group.has(slow)) {
      const { delivered, skipped } = group.broadcast(Buffer.alloc(MESSAGE, sent))
      // It is still a member in the tick in which it is terminated.
      expect(delivered + skipped).toBe(2)
      sent++
      expect(Buffer.alloc(MESSAGE, sent - 1).equals((await messages.next()) as Buffer)).toBe(true)
    }
    const { code, cause } = await closed
    expect(code).toBe(1006)
    expect(cause?.message).toMatch(/^The peer reads too slowly: \d+ bytes wait for it.*maxBufferedAmount/)
    expect(hub.stats().skipped).toBeGreaterThan(0)
    expect(group.broadcast('to who is left')).toEqual({ delivered: 1, skipped: 0 })
    expect(await messages.next()).toBe('to who is left')
    slowPeer.destroy()
  })

  test('misses messages with ‘skip’, which are counted, and gets the later ones when it reads again', async () => {
    const { slowPeer, slow, quickPeer, quick } = await slowAndQuick({
      maxBufferedAmount: LIMIT,
      slowPolicy: 'skip',
    })
    const hub = new Hub()
    const group = hub.group('g').add(slow).add(quick)
    const messages = inbox(quickPeer)
    const expected: number[] = []
    let skipped = 0
    for (let sent = 0; skipped < 20; sent++) {
      const data = Buffer.alloc(MESSAGE)
      data.writeUInt32BE(sent)
      const result = group.broadcast(data)
      expect(result.delivered + result.skipped).toBe(2)
      if (result.skipped === 0) expected.push(sent)
      skipped += result.skipped
      expect(((await messages.next()) as Buffer).readUInt32BE()).toBe(sent)
    }
    expect(hub.stats().skipped).toBe(20)
    expect(slow.bufferedAmount).toBeLessThanOrEqual(LIMIT + MESSAGE + 4)
    expect(slow.readyState).toBe(1)

    const reader = new FrameReader()
    const received: number[] = []
    const caughtUp = new Promise<void>((resolve) => {
      slowPeer.on('data', (chunk: Buffer) => {
        for (const frame of reader.push(chunk)) {
          if (frame.payload.toString() === 'later') resolve()
          else received.push(frame.payload.readUInt32BE())
        }
      })
    })
    slowPeer.resume()
    while (slow.bufferedAmount > 0) await turn()
    expect(group.broadcast('later')).toEqual({ delivered: 2, skipped: 0 })
    await caughtUp
    expect(received).toEqual(expected)
    slowPeer.destroy()
  })

  test('does not increase the memory of the process, however much is published', async () => {
    const { slowPeer, slow, quickPeer, quick } = await slowAndQuick({
      maxBufferedAmount: LIMIT,
      slowPolicy: 'skip',
    })
    const group = new Hub().group('g').add(slow).add(quick)
    const messages = inbox(quickPeer)
    const before = await heldBytes()
    // 128 MiB in total.
    for (let sent = 0; sent < 4096; sent++) {
      group.broadcast(Buffer.alloc(MESSAGE))
      await messages.next()
    }
    expect((await heldBytes()) - before).toBeLessThan(8 * LIMIT)
    slowPeer.destroy()
  })

  test('loses only whole messages, including a short one after long ones', async () => {
    const { port, next } = await runningServer({ maxBufferedAmount: 20_000, slowPolicy: 'skip' })
    const [peer, { socket }] = await Promise.all([pausedClient(port), next()])
    const group = new Hub().group('g').add(socket)
    // Until the system's own buffers are full.
    while (group.broadcast('x'.repeat(10_000)).skipped === 0) await turn()
    expect(group.broadcast('short')).toEqual({ delivered: 0, skipped: 1 })
    const reader = new FrameReader()
    const lengths = new Set<number>()
    peer.on('data', (chunk: Buffer) => {
      for (const { payload } of reader.push(chunk)) lengths.add(payload.length)
    })
    peer.resume()
    while (socket.bufferedAmount > 0) await turn()
    group.broadcast('end')
    while (!lengths.has(3)) await turn()
    expect([...lengths]).toEqual([10_000, 3])
    peer.destroy()
  })
})

describe('limits', () => {
  test('of a hub can be lower or higher than those of a member’s server', async () => {
    const { socket, serverEnd, client } = await memoryPair({
      server: { maxBufferedAmount: 10_000, slowPolicy: 'skip' },
    })
    const [patient, strict] = [new Hub({ maxBufferedAmount: 50_000 }), new Hub({ maxBufferedAmount: 5_000 })]
    const asServer = new Hub()
    for (const hub of [patient, strict, asServer]) hub.group('g').add(socket)
    const counts = (): number[] => [patient, strict, asServer].map((hub) => hub.broadcast('g', '').delivered)
    const messages = inbox(client)
    serverEnd.stall()
    expect(counts()).toEqual([1, 1, 1])
    socket.send('x'.repeat(5_000))
    await settled()
    expect(counts()).toEqual([1, 0, 1])
    socket.send('x'.repeat(5_000))
    await settled()
    expect(counts()).toEqual([1, 0, 0])
    expect(patient.broadcast('g', 'x'.repeat(40_000)).delivered).toBe(1)
    await settled()
    expect(counts()).toEqual([0, 0, 0])
    serverEnd.release()
    expect(await take(messages, 9)).toHaveLength(9)
    await settled()
    expect(counts()).toEqual([1, 1, 1])
    expect([patient, strict, asServer].map((hub) => hub.stats().skipped)).toEqual([1, 3, 2])
  })

  test('are not exceeded by exactly the limit', async () => {
    const { socket, serverEnd } = await memoryPair()
    const group = new Hub({ maxBufferedAmount: 100, slowPolicy: 'skip' }).group('g').add(socket)
    serverEnd.stall()
    socket.send('x'.repeat(98))
    // A header of 2 bytes is counted.
    expect(socket.bufferedAmount).toBe(98)
    await settled()
    expect(group.broadcast('').delivered).toBe(1)
    await settled()
    expect(group.broadcast('').delivered).toBe(0)
  })

  test('include what waits behind a compression, a Blob or fragments', async () => {
    const options = { server: { perMessageDeflate: true }, client: { perMessageDeflate: true } }
    const group = new Hub({ maxBufferedAmount: 50_000, slowPolicy: 'skip' }).group('g')
    const [compressing, reading, fragmented] = [
      await memoryPair(options),
      await memoryPair(),
      await memoryPair(),
    ]
    const inboxes = [compressing, reading, fragmented].map(({ client }) => inbox(client))
    for (const { socket } of [compressing, reading, fragmented]) group.add(socket)
    compressing.socket.send(Buffer.alloc(100_000))
    const blob = new Blob([Buffer.alloc(100_000)])
    let finishReading = (): void => {}
    vi.spyOn(blob, 'arrayBuffer').mockReturnValue(
      new Promise((resolve) => {
        finishReading = () => {
          resolve(new ArrayBuffer(100_000))
        }
      }),
    )
    reading.socket.send(blob)
    fragmented.socket.send('', { fin: false })
    // A later turn, but before the thread pool can answer.
    await new Promise(process.nextTick)
    expect(group.broadcast('y'.repeat(60_000))).toEqual({ delivered: 1, skipped: 2 })
    expect(group.broadcast('z')).toEqual({ delivered: 0, skipped: 3 })
    finishReading()
    fragmented.socket.send('end')
    const next = await Promise.all(inboxes.map((messages) => messages.next()))
    expect(next.map((data) => (data as Buffer).length)).toEqual([100_000, 100_000, 3])
    expect(await inboxes[2]!.next()).toBe('y'.repeat(60_000))
    await settled()
    expect(group.broadcast('again')).toEqual({ delivered: 3, skipped: 0 })
    expect(await Promise.all(inboxes.map((messages) => messages.next()))).toEqual(['again', 'again', 'again'])
  })

  test('of a hub override the policy of a server, ‘terminate’ and ‘skip’ alike', async () => {
    const ended = await memoryPair({ server: { slowPolicy: 'skip' } })
    const spared = await memoryPair({ server: { maxBufferedAmount: 10 } })
    const closed = vi.fn()
    for (const { socket } of [ended, spared]) socket.on('close', closed)
    const endedClosed = closeOf(ended.socket)
    new Hub({ slowPolicy: 'terminate', maxBufferedAmount: 10 }).group('g').add(ended.socket)
    for (const [pair, slowPolicy] of [
      [ended, 'terminate'],
      [spared, 'skip'],
    ] as const) {
      const group = new Hub({ slowPolicy, maxBufferedAmount: 10 }).group('g').add(pair.socket)
      pair.serverEnd.stall()
      expect(group.broadcast('0123456789')).toEqual({ delivered: 1, skipped: 0 })
      await settled()
      expect(group.broadcast('0123456789')).toEqual({ delivered: 0, skipped: 1 })
    }
    expect((await endedClosed).cause).toMatchObject({ code: 'WS_ERR_SLOW_PEER' })
    expect(closed).toHaveBeenCalledTimes(1)
    expect(spared.socket.readyState).toBe(1)
  })

  test('do not terminate a peer that keeps reading slowly', async () => {
    const { port, next } = await runningServer({ maxBufferedAmount: LIMIT })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const group = new Hub().group('g').add(socket)
    for (let sent = 0; sent < 200; sent++) {
      while (socket.bufferedAmount > LIMIT / 2) await once(socket, 'drain')
      expect(group.broadcast(Buffer.alloc(MESSAGE, sent))).toEqual({ delivered: 1, skipped: 0 })
      expect((await peer.next())?.payload.equals(Buffer.alloc(MESSAGE, sent))).toBe(true)
    }
    peer.destroy()
  })
})
