import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import { constants, deflateRawSync } from 'node:zlib'
import { connect, Hub } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled, until } from '../support/event-loop.js'
import { collectGarbage, heldBytes } from '../support/garbage-collection.js'
import { handshakeText, readHead } from '../support/http-exchange.js'
import { pausedClient } from '../support/paused-client.js'
import { clientFrame, opcode } from '../support/raw-frame.js'
import { RawPeer } from '../support/raw-peer.js'
import { runningServer } from '../support/running-server.js'

const MEBI = 1024 * 1024
const OFFER = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }

/** A compressed message of zeros, a thousand times as long as its frame. */
function bomb(length: number): Buffer {
  const payload = deflateRawSync(Buffer.alloc(length), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(
    0,
    -4,
  )
  return clientFrame({ opcode: opcode.binary, payload, rsv: 4 })
}

async function openRaw(port: number): Promise<RawPeer> {
  const socket = connectSocket(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(handshakeText(OFFER))
  const { line, rest } = await readHead(socket)
  expect(line).toContain('101')
  return new RawPeer(socket, 'client', rest)
}

/** The increase of the process's memory since the start, and its maximum at the samples, without garbage. */
async function growth(
  run: (sample: () => Promise<void>) => Promise<void>,
): Promise<{ most: number; after: number }> {
  await collectGarbage()
  const before = process.memoryUsage.rss()
  let most = 0
  await run(async () => {
    await collectGarbage()
    most = Math.max(most, process.memoryUsage.rss() - before)
  })
  await collectGarbage()
  return { most, after: process.memoryUsage.rss() - before }
}

describe('compression bombs (CVE-2018-1000518, CVE-2026-1526)', () => {
  test.each([
    ['a 10 MiB message of zeros, inflated synchronously,', 10 * MEBI],
    ['a 100 MiB message of zeros, inflated in the thread pool,', 100 * MEBI],
  ])('%s costs no more memory than the limit and closes with 1009', async (_name, length) => {
    const bytes = bomb(length)
    expect(bytes.length).toBeLessThan(length / 1000 + 100)
    const { port, next } = await runningServer({ perMessageDeflate: true })
    const [peer, { socket }] = await Promise.all([openRaw(port), next()])
    const closed = closeOf(socket)
    const messages = vi.fn()
    socket.on('message', messages)
    const { most } = await growth(async (sample) => {
      peer.write(bytes)
      expect((await peer.next())?.payload.readUInt16BE(0)).toBe(1009)
      await sample()
    })
    peer.destroy()
    expect((await closed).cause).toMatchObject({ closeCode: 1009 })
    expect(messages).not.toHaveBeenCalled()
    expect(most).toBeLessThan(10 * MEBI)
  })

  test('do not increase the memory of the process, even 1,000 of them', { timeout: 120_000 }, async () => {
    const { port, server } = await runningServer({ perMessageDeflate: true })
    const bombs = [bomb(10 * MEBI), bomb(40 * MEBI)]
    const round = async (sample?: () => Promise<void>): Promise<void> => {
      const peers = await Promise.all(Array.from({ length: 500 }, () => openRaw(port)))
      await Promise.all(
        peers.map(async (peer, index) => {
          peer.write(bombs[index % 2]!)
          const frame = await peer.next()
          if (index % 50 === 0) await sample?.()
          expect(frame?.payload.readUInt16BE(0)).toBe(1009)
          peer.destroy()
        }),
      )
    }
    // The first round allocates what a process keeps: heap, pools, threads.
    await round()
    const { most, after } = await growth(async (sample) => {
      await round(sample)
      await round(sample)
    })
    await settled()
    expect(server.clients.size).toBe(0)
    // If they were inflated to the limit and kept, a round would take 500 MiB.
    expect(most).toBeLessThan(250 * MEBI)
    expect(after).toBeLessThan(250 * MEBI)
  })

  test('leave errors that do not keep inflated data alive', async () => {
    const { port, next } = await runningServer({ perMessageDeflate: true })
    const bytes = bomb(20 * MEBI)
    const causes: (Error | undefined)[] = []
    const before = await heldBytes()
    for (let count = 0; count < 40; count++) {
      const [peer, { socket }] = await Promise.all([openRaw(port), next()])
      const closed = closeOf(socket)
      peer.write(bytes)
      await peer.next()
      peer.destroy()
      causes.push((await closed).cause)
    }
    expect((await heldBytes()) - before).toBeLessThan(10 * MEBI)
    expect(causes.length).toBe(40)
  })

  test('close the connection with 1009 also when fragmented', async () => {
    const { port } = await runningServer({ perMessageDeflate: true })
    const peer = await openRaw(port)
    const payload = deflateRawSync(Buffer.alloc(20 * MEBI), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(
      0,
      -4,
    )
    for (let start = 0; start < payload.length; start += 500) {
      const fin = start + 500 >= payload.length
      const code = start === 0 ? opcode.binary : opcode.continuation
      peer.write(
        peer.encode({
          opcode: code,
          payload: payload.subarray(start, start + 500),
          fin,
          rsv: start === 0 ? 4 : 0,
        }),
      )
    }
    expect((await peer.next())?.payload.readUInt16BE(0)).toBe(1009)
    peer.destroy()
  })
})

test('keeps the memory flat for a slow member of a fast publisher, and counts what it skips', async () => {
  const { port, next } = await runningServer()
  const hub = new Hub({ maxBufferedAmount: MEBI, slowPolicy: 'skip' })
  const [slow, { socket }] = await Promise.all([pausedClient(port), next()])
  const [quick, { socket: other }] = await Promise.all([connect(`ws://127.0.0.1:${port}`), next()])
  let received = 0
  quick.on('message', () => received++)
  const group = hub.group('all').add(socket).add(other)
  const before = await heldBytes()
  const held: number[] = []
  for (let sent = 1; sent <= 2000; sent++) {
    group.broadcast(Buffer.alloc(64 * 1024, sent))
    await settled()
    if (sent % 200 === 0) held.push((await heldBytes()) - before)
  }
  await until(() => received === 2000)
  const { delivered, skipped, broadcasts } = hub.stats()
  expect(broadcasts).toBe(2000)
  expect(delivered + skipped).toBe(4000)
  expect(skipped).toBeGreaterThan(1000)
  expect(socket.bufferedAmount).toBeLessThan(2 * MEBI)
  // 125 MiB were published. Each of the two members may hold its limit and the message that exceeds it.
  expect(Math.max(...held)).toBeLessThan(5 * MEBI)
  quick.terminate()
  slow.destroy()
})

test('holds no more memory than the size of unfinished messages, and none after their connections close', async () => {
  const { port, server } = await runningServer()
  const part = clientFrame({ opcode: opcode.binary, payload: Buffer.alloc(100_000), fin: false })
  const { after } = await growth(async () => {
    const sockets = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const socket: Socket = await pausedClient(port)
        socket.on('error', () => {})
        socket.write(part)
        return socket
      }),
    )
    await settled()
    expect(server.clients.size).toBe(100)
    for (const socket of sockets) socket.resetAndDestroy()
    while (server.clients.size !== 0) await settled()
  })
  expect(after).toBeLessThan(30 * MEBI)
})
