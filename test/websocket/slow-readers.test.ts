import { once } from 'node:events'
import { connect, WebSocket } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled, turn } from '../support/event-loop.js'
import { inbox, take } from '../support/inbox.js'
import { memoryPair } from '../support/memory-pair.js'
import { openPair } from '../support/open-pair.js'
import { pausedClient } from '../support/paused-client.js'
import { clientFrame, FrameReader, opcode } from '../support/raw-frame.js'
import { runningServer } from '../support/running-server.js'

const KIBI = 1024

describe("slowPolicy 'terminate', the default", () => {
  test('terminates a peer beyond maxBufferedAmount with 1006 and a cause that says what to do', async () => {
    const { socket, serverEnd } = await memoryPair({ server: { maxBufferedAmount: 100 * KIBI } })
    const errors = vi.fn()
    socket.on('error', errors)
    serverEnd.stall()
    const closed = closeOf(socket)
    let most = 0
    while (socket.readyState === WebSocket.OPEN) {
      socket.send(Buffer.alloc(10 * KIBI))
      most = Math.max(most, socket.bufferedAmount)
      // Only what was queued in an earlier turn counts against a peer.
      await turn()
    }
    const failure = new Promise((resolve) => {
      expect(socket.send('refused', resolve)).toBe(false)
    })
    const close = await closed
    expect(close).toMatchObject({ code: 1006, wasClean: false, initiator: 'local' })
    expect(close.cause?.message).toMatch(/reads too slowly: \d+ bytes .* maxBufferedAmount .* 'drain'/)
    expect(await failure).toBeInstanceOf(Error)
    // The message that exceeded the limit is not added.
    expect(most).toBeLessThanOrEqual(111 * KIBI)
  })

  test('passes the reason to the callback of the message that exceeded the limit', async () => {
    const { socket, serverEnd } = await memoryPair({ server: { maxBufferedAmount: 1 } })
    serverEnd.stall()
    socket.send('first')
    await turn()
    const callback = vi.fn<(error?: Error | null) => void>()
    expect(socket.send('second', callback)).toBe(false)
    expect(callback).not.toHaveBeenCalled()
    expect(socket.readyState).toBe(WebSocket.CLOSING)
    await closeOf(socket)
    await settled()
    expect(callback).toHaveBeenCalledTimes(1)
    expect(callback.mock.calls[0]?.[0]?.message).toMatch(/reads too slowly/)
  })

  test('terminates a peer that does not read over TCP', async () => {
    const { port, next } = await runningServer({ maxBufferedAmount: 1024 * KIBI })
    const [peer, { socket }] = await Promise.all([pausedClient(port), next()])
    const closed = closeOf(socket)
    while (socket.readyState === WebSocket.OPEN) {
      socket.send(Buffer.alloc(256 * KIBI))
      await settled()
    }
    expect((await closed).cause?.message).toMatch(/reads too slowly/)
    peer.destroy()
  })

  test('terminates the server of a client', async () => {
    const { client, clientEnd } = await memoryPair({ client: { maxBufferedAmount: 100 * KIBI } })
    clientEnd.stall()
    const closed = closeOf(client)
    while (client.readyState === WebSocket.OPEN) {
      client.send(Buffer.alloc(10 * KIBI))
      await turn()
    }
    expect((await closed).cause?.message).toMatch(/reads too slowly/)
  })
})

describe("slowPolicy 'skip'", () => {
  test('skips whole messages, reports that to their callbacks, and resumes when the peer reads again', async () => {
    const { socket, serverEnd } = await memoryPair({
      server: { maxBufferedAmount: 100 * KIBI, slowPolicy: 'skip' },
    })
    serverEnd.stall()
    const reports: [number, boolean][] = []
    for (let sent = 0; sent < 50; sent++) {
      socket.send(Buffer.alloc(10 * KIBI, sent), (error) => reports.push([sent, error instanceof Error]))
      await turn()
    }
    expect(socket.bufferedAmount).toBeLessThanOrEqual(111 * KIBI)
    expect(socket.readyState).toBe(WebSocket.OPEN)
    serverEnd.release()
    await once(socket, 'drain')
    const last = new Promise((resolve) => socket.send('after', resolve))
    await last
    await settled()
    const skipped = new Set(reports.filter(([, failed]) => failed).map(([sent]) => sent))
    const arrived = new FrameReader().push(serverEnd.bytes).map(({ payload }) => payload)
    expect(reports.length).toBe(50)
    expect(skipped.size).toBeGreaterThan(0)
    expect(arrived.pop()?.toString()).toBe('after')
    expect(arrived.map((payload) => payload[0])).toEqual(
      Array.from({ length: 50 }, (_, sent) => sent).filter((sent) => !skipped.has(sent)),
    )
    expect(arrived.every((payload) => payload.length === 10 * KIBI)).toBe(true)
  })

  test('skips Blobs too', async () => {
    const { socket, serverEnd } = await memoryPair({
      server: { maxBufferedAmount: 1000, slowPolicy: 'skip' },
    })
    serverEnd.stall()
    while (socket.send(new Blob(['x'.repeat(600)])));
    await settled()
    const error = await new Promise((resolve) => {
      expect(socket.send(new Blob(['missed']), resolve)).toBe(false)
    })
    expect(error).toBeInstanceOf(Error)
    serverEnd.release()
    await once(socket, 'drain')
    expect(socket.send(new Blob(['x']))).toBe(true)
  })

  test("emits 'drain' even if the limit is below the high-water mark", async () => {
    const { socket, serverEnd } = await memoryPair({
      server: { maxBufferedAmount: 1000, slowPolicy: 'skip' },
    })
    serverEnd.stall()
    while (socket.send(Buffer.alloc(600)));
    const drained = vi.fn()
    socket.on('drain', drained)
    await settled()
    expect(drained).not.toHaveBeenCalled()
    serverEnd.release()
    await settled()
    expect(drained).toHaveBeenCalledTimes(1)
    expect(socket.bufferedAmount).toBe(0)
    expect(socket.send('x')).toBe(true)
  })
})

describe('a peer that sends and does not read', () => {
  test('is not read from while more than half of maxBufferedAmount waits for it', async () => {
    const limit = 200 * KIBI
    const { socket, clientEnd, serverEnd } = await memoryPair({ server: { maxBufferedAmount: limit } })
    let most = 0
    socket.on('message', (data) => {
      socket.send(data)
      most = Math.max(most, socket.bufferedAmount)
    })
    serverEnd.stall()
    const count = 1000
    const frames = Array.from({ length: count }, (_, index) =>
      clientFrame({ opcode: opcode.text, payload: `${index} `.padEnd(KIBI, 'x') }),
    )
    for (const frame of frames) {
      clientEnd.write(frame)
      await settled()
    }
    expect(socket.readyState).toBe(WebSocket.OPEN)
    expect(most).toBeGreaterThan(limit / 2)
    expect(most).toBeLessThan(limit)
    // Once the peer reads, nothing is lost.
    serverEnd.release()
    await settled()
    while (serverEnd.bytes.length < count * KIBI) await settled()
    const echoes = new FrameReader().push(serverEnd.bytes).map(({ payload }) => parseInt(payload.toString()))
    expect(echoes).toEqual(Array.from({ length: count }, (_, index) => index))
  })

  test.each([100, 1000, 16 * KIBI])('receives its echoes with a limit of %i', async (maxBufferedAmount) => {
    const { client, socket } = await openPair({ server: { maxBufferedAmount } })
    socket.on('message', (data) => socket.send(data as string))
    const echoes = inbox(client)
    const size = Math.floor(maxBufferedAmount * 0.7)
    for (let sent = 0; sent < 20; sent++) {
      client.send('x'.repeat(size))
      expect(((await echoes.next()) as string).length).toBe(size)
    }
  })
})

test('does not delay other peers of a slow peer', async () => {
  const { running, client, socket } = await openPair()
  const [slow, { socket: slowSocket }] = await Promise.all([pausedClient(running.port), running.next()])
  while (slowSocket.send(Buffer.alloc(1000 * KIBI)));
  const messages = inbox(client)
  for (let sent = 0; sent < 100; sent++) {
    slowSocket.send('more')
    socket.send(String(sent))
  }
  expect(await take(messages, 100)).toEqual(Array.from({ length: 100 }, (_, index) => String(index)))
  slow.destroy()
})

test("delivers everything that waited once a peer reads again, with one 'drain'", async () => {
  const { port, next } = await runningServer()
  const [peer, { socket }] = await Promise.all([pausedClient(port), next()])
  const drained = vi.fn()
  socket.on('drain', drained)
  let sent = 0
  while (socket.send(Buffer.alloc(100_000, sent++)));
  for (; sent < 60; sent++) socket.send(Buffer.alloc(100_000, sent))
  await settled()
  const reader = new FrameReader()
  const frames: number[] = []
  peer.on('data', (chunk) => {
    for (const { payload } of reader.push(chunk)) frames.push(payload[0]!)
  })
  peer.resume()
  await once(socket, 'drain')
  while (frames.length < 60) await once(peer, 'data')
  expect(frames).toEqual(Array.from({ length: 60 }, (_, index) => index))
  expect(drained).toHaveBeenCalledTimes(1)
  peer.destroy()
})

test('accepts clients and delivers their messages while others are slow', async () => {
  const { port, next, url } = await runningServer()
  const [slow, { socket }] = await Promise.all([pausedClient(port), next()])
  while (socket.send(Buffer.alloc(1000 * KIBI)));
  const [client, { socket: quick }] = await Promise.all([connect(url), next()])
  client.send('x')
  expect(await once(quick, 'message')).toEqual(['x', false])
  slow.destroy()
})
