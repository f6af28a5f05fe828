import { once } from 'node:events'
import zlib from 'node:zlib'
import { type PerMessageDeflateOptions, type SendOptions, WebSocket } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled, turn, until } from '../support/event-loop.js'
import { inbox, take } from '../support/inbox.js'
import { memoryPair } from '../support/memory-pair.js'
import { openPair } from '../support/open-pair.js'
import { pausedClient } from '../support/paused-client.js'
import { Queue } from '../support/queue.js'
import { FrameReader } from '../support/raw-frame.js'
import { replaceInZlib } from '../support/replace-in-zlib.js'
import { runningServer } from '../support/running-server.js'
import { uncaught } from '../support/uncaught.js'

/** Long enough for zlib to work on the thread pool. */
const LONG = 200_000

function both(perMessageDeflate: boolean | PerMessageDeflateOptions): {
  server: { perMessageDeflate: boolean | PerMessageDeflateOptions }
  client: { perMessageDeflate: boolean | PerMessageDeflateOptions }
} {
  return { server: { perMessageDeflate }, client: { perMessageDeflate } }
}

function text(length: number, seed: number): string {
  return Array.from({ length: Math.ceil(length / 8) }, (_, index) => `${(index * seed) % 9973} wörd`)
    .join(' ')
    .slice(0, length)
}

describe.each<[string, PerMessageDeflateOptions]>([
  ['no context takeover', { threshold: 0 }],
  ['context takeover', { threshold: 0, serverNoContextTakeover: false, clientNoContextTakeover: false }],
  [
    'small windows',
    { threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 9, serverNoContextTakeover: false },
  ],
  [
    'context takeover in one direction',
    { threshold: 0, clientNoContextTakeover: false, zlibDeflateOptions: { level: 9, memLevel: 1 } },
  ],
])('with %s', (_name, perMessageDeflate) => {
  test('keeps messages of all sizes in order, both ways', async () => {
    const { client, socket } = await openPair(both(perMessageDeflate))
    expect([client.extensions, socket.extensions]).toEqual(['permessage-deflate', 'permessage-deflate'])
    const sent: (string | Buffer)[] = []
    for (const [index, length] of [0, 1, 100, LONG, 5000, 0, LONG, 64_000, 66_000, 3].entries()) {
      sent.push(index % 2 === 0 ? text(length, index + 1) : Buffer.from(text(length, index + 1)))
    }
    for (const [from, to] of [
      [client, socket],
      [socket, client],
    ] as const) {
      const queue = inbox(to)
      for (const data of sent) from.send(data)
      const received = await take(queue, sent.length)
      expect(
        received.map((data, index) =>
          Buffer.from(data as string).equals(Buffer.from(sent[index]! as string)),
        ),
      ).toEqual(sent.map(() => true))
      expect(received.map((data) => typeof data === 'string')).toEqual(
        sent.map((data) => typeof data === 'string'),
      )
    }
  })

  test('delivers fragmented messages and the Pings between their fragments', async () => {
    const { client, socket } = await openPair(both(perMessageDeflate))
    const events: string[] = []
    socket.on('ping', (payload) => events.push(`ping ${payload.toString()}`))
    socket.on('message', (data) => events.push(`message of ${(data as string).length}`))
    client.send(text(1000, 1), { fin: false })
    client.ping('one')
    client.send(text(LONG, 2), { fin: false })
    client.ping('two')
    client.send('', { fin: true })
    client.send('short')
    while (!events.includes('message of 5')) await once(socket, 'message')
    expect(events).toEqual(['ping one', 'ping two', `message of ${1000 + LONG}`, 'message of 5'])
  })
})

test('sends control frames and Close frames after the messages before them', async () => {
  const { client, socket } = await openPair(both({ threshold: 0 }))
  const events: string[] = []
  client.on('message', (data) => events.push(`message of ${(data as Buffer).length}`))
  client.on('ping', () => events.push('ping'))
  client.on('close', () => events.push('close'))
  const called: string[] = []
  socket.send(Buffer.alloc(LONG), () => called.push('long'))
  socket.send('plain', { compress: false }, () => called.push('plain'))
  socket.ping('', () => called.push('ping'))
  socket.send(Buffer.alloc(LONG), () => called.push('long'))
  socket.close(1000)
  await closeOf(client)
  expect(events).toEqual([`message of ${LONG}`, 'message of 5', 'ping', `message of ${LONG}`, 'close'])
  await settled()
  expect(called).toEqual(['long', 'plain', 'ping', 'long'])
})

test('does not compress messages below the threshold or with compress: false', async () => {
  const { socket, serverEnd } = await memoryPair(both({ threshold: 100 }))
  const cases: [string, SendOptions, number][] = [
    ['x'.repeat(99), {}, 0],
    ['x'.repeat(100), {}, 4],
    ['ü'.repeat(50), {}, 4],
    ['x'.repeat(1000), { compress: false }, 0],
  ]
  for (const [data, options] of cases) socket.send(data, options)
  await settled()
  expect(new FrameReader().push(serverEnd.bytes).map(({ rsv }) => rsv)).toEqual(cases.map(([, , rsv]) => rsv))
})

test("counts messages that wait for zlib in bufferedAmount, and emits 'drain' after them", async () => {
  const { client, socket } = await openPair(both(true))
  const messages = inbox(client)
  const drained = vi.fn()
  socket.on('drain', drained)
  expect(socket.send(Buffer.alloc(LONG))).toBe(false)
  expect(socket.bufferedAmount).toBe(LONG)
  socket.send('behind')
  socket.ping('four')
  expect(socket.bufferedAmount).toBe(LONG + 'behind'.length)
  await take(messages, 2)
  await until(() => drained.mock.calls.length === 1)
  expect(socket.bufferedAmount).toBe(0)
})

test('writes a burst of small compressed messages at once', async () => {
  const { client, socket, serverEnd } = await memoryPair(both({ threshold: 0 }))
  const messages = inbox(client)
  for (let sent = 0; sent < 100; sent++) socket.send(`message ${sent}`)
  await take(messages, 100)
  expect(serverEnd.batches.map((batch) => batch.length)).toEqual([1])
})

describe('a connection that ends while zlib is busy', () => {
  test.each([
    // Discarded messages stay in bufferedAmount, as in WHATWG's standard.
    ['terminate()', (socket: WebSocket<undefined>) => socket.terminate(), 3 * (LONG + 'short'.length)],
    ['close()', (socket: WebSocket<undefined>) => socket.close(1000), 0],
  ])('calls each callback once after %s', async (_name, end, left) => {
    const errors = uncaught()
    const { client, socket } = await openPair(both({ threshold: 0 }))
    const callback = vi.fn()
    for (let sent = 0; sent < 3; sent++) {
      socket.send(Buffer.alloc(LONG), callback)
      socket.send('short', callback)
      socket.ping('', callback)
    }
    const closes = Promise.all([closeOf(client), closeOf(socket)])
    end(socket)
    await closes
    await until(() => callback.mock.calls.length === 9)
    await settled()
    expect(callback).toHaveBeenCalledTimes(9)
    expect(socket.bufferedAmount).toBe(left)
    expect(errors).toEqual([])
  })

  test("delivers messages that are still being inflated before 'close' if the peer ends it", async () => {
    const { client, socket } = await openPair(both({ threshold: 0 }))
    const events: string[] = []
    socket.on('message', (data) => events.push(`message of ${(data as Buffer).length}`))
    socket.on('ping', () => events.push('ping'))
    socket.on('close', (code) => events.push(`close ${code}`))
    const done = new Promise((resolve) => {
      client.send(Buffer.from(text(LONG, 7)))
      client.send(Buffer.from(text(LONG, 8)))
      client.ping('', resolve)
    })
    await done
    client.terminate()
    await closeOf(socket)
    expect(events.at(-1)).toBe('close 1006')
    expect(events.slice(0, -1)).toEqual([
      `message of ${LONG + countMultibyte(7)}`,
      `message of ${LONG + countMultibyte(8)}`,
      'ping',
    ])
    await settled()
  })

  test('delivers nothing after terminate(), even if a message is being inflated', async () => {
    const { client, socket } = await openPair(both({ threshold: 0 }))
    const messages = vi.fn()
    socket.on('message', messages)
    // The first arrives; while the second is inflated, the connection is ended.
    socket.once('message', () => {
      setImmediate(() => {
        socket.terminate()
      })
    })
    for (let sent = 0; sent < 10; sent++) client.send(Buffer.alloc(900_000, sent))
    await closeOf(socket)
    const count = messages.mock.calls.length
    for (let turns = 0; turns < 10; turns++) await settled()
    expect(messages.mock.calls.length).toBe(count)
    expect(count).toBeLessThan(10)
  })
})

function countMultibyte(seed: number): number {
  return Buffer.byteLength(text(LONG, seed)) - LONG
}

test('counts messages that wait for compression against maxBufferedAmount', async () => {
  const { port, next } = await runningServer({
    perMessageDeflate: { threshold: 0 },
    maxBufferedAmount: 4_000_000,
  })
  const offer = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
  const [peer, { socket }] = await Promise.all([pausedClient(port, offer), next()])
  const closed = closeOf(socket)
  let sent = 0
  while (socket.readyState === WebSocket.OPEN && sent < 1000) {
    // Only what was queued in an earlier turn counts against a peer.
    socket.send(Buffer.alloc(LONG))
    sent++
    await turn()
  }
  // Messages that wait for compression count with their uncompressed length.
  expect(sent).toBeLessThan(1000)
  expect((await closed).cause?.message).toMatch(/reads too slowly/)
  peer.destroy()
})

test('holds a message that is being inflated between pause() and resume() (F18)', async () => {
  const inflating = new Queue<{ finish: () => void }>()
  const { inflateRaw } = zlib
  replaceInZlib('inflateRaw', (bytes: Buffer, options: object, callback: (...results: unknown[]) => void) => {
    inflateRaw(bytes, options, (...results) => {
      inflating.push({
        finish() {
          callback(...results)
        },
      })
    })
  })
  const { client, socket } = await openPair(both({ threshold: 0 }))
  const heard: unknown[] = []
  socket.on('message', (data) => heard.push(data))
  client.send(Buffer.alloc(LONG))
  client.send('behind it')
  const { finish } = await inflating.next()
  socket.pause()
  finish()
  await settled()
  expect(heard).toEqual([])
  socket.resume()
  while (heard.length < 2) await once(socket, 'message')
  expect(heard).toEqual([Buffer.alloc(LONG), 'behind it'])
})

test('keeps inflated messages in order across pause() and resume()', async () => {
  const { client, socket } = await openPair(both({ threshold: 0 }))
  const seen: number[] = []
  socket.on('message', (data) => {
    seen.push((data as Buffer)[0]!)
    socket.pause()
    setImmediate(() => {
      socket.resume()
    })
  })
  for (let sent = 0; sent < 20; sent++) client.send(Buffer.alloc(sent % 3 === 0 ? LONG : 10, sent))
  client.close()
  await closeOf(socket)
  expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => index))
})
