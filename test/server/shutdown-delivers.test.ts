import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect as connectSocket, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  connect,
  Hub,
  type ShutdownOptions,
  WebSocket,
  WebSocketServer,
  type WebSocketServerOptions,
} from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket as WsClient } from 'ws'
import { closeOf } from '../support/close-of.js'
import { exchange, handshakeText } from '../support/http-exchange.js'
import { startHttp } from '../support/http-server.js'
import { inbox } from '../support/inbox.js'
import { pausedClient } from '../support/paused-client.js'
import { clientFrame, FrameReader, opcode, type ReceivedFrame } from '../support/raw-frame.js'
import { openAsClient } from '../support/raw-handshake.js'
import { refused } from '../support/refused.js'
import { runningServer } from '../support/running-server.js'
import { noise } from '../support/sample-messages.js'

const COUNT = 1000
const LENGTH = 10 * 1024
const content = noise(LENGTH)

function numbered(index: number): Buffer {
  const bytes = Buffer.from(content)
  bytes.writeUInt32BE(index, 0)
  return bytes
}

/** Whether all messages arrived, complete and in order. */
function expectAll(received: readonly Buffer[]): void {
  expect(received).toHaveLength(COUNT)
  expect(received.findIndex((bytes, index) => !bytes.equals(numbered(index)))).toBe(-1)
}

type Sender = (socket: WebSocket<undefined>, index: number) => void

const hub = new Hub()
const senders: [string, WebSocketServerOptions, Sender][] = [
  ['sent', {}, (socket, index) => socket.send(numbered(index))],
  ['sent compressed', { perMessageDeflate: true }, (socket, index) => socket.send(numbered(index))],
  ['broadcast', {}, (socket, index) => hub.group('all').add(socket).broadcast(numbered(index))],
  [
    'sent as Blobs, fragments and whole',
    { perMessageDeflate: true },
    (socket, index) => {
      const bytes = numbered(index)
      if (index % 3 === 0) socket.send(new Blob([bytes]))
      else if (index % 3 === 1) socket.send(bytes, { compress: index % 2 === 0 })
      else {
        socket.send(bytes.subarray(0, 100), { fin: false })
        socket.send(bytes.subarray(100))
      }
    },
  ],
]

describe.each(senders)(
  '1,000 messages of 10 KiB that were %s just before the shutdown',
  (_name, options, send) => {
    test('reach a peer that reads, followed by 1001', async () => {
      const { server, url, next } = await runningServer(options)
      const [client, { socket }] = await Promise.all([
        connect(url, options.perMessageDeflate ? { perMessageDeflate: true } : {}),
        next(),
      ])
      const received: Buffer[] = []
      client.on('message', (data) => received.push(data as Buffer))
      const closed = closeOf(client)
      for (let index = 0; index < COUNT; index++) send(socket, index)
      expect(await server.shutdown({ reason: 'deploy' })).toEqual({ closed: 1, terminated: 0 })
      expect(await closed).toMatchObject({
        code: 1001,
        reason: 'deploy',
        wasClean: true,
        initiator: 'remote',
      })
      expectAll(received)
      expect(server.stats()).toMatchObject({ connections: 0, bufferedAmount: 0, terminated: {} })
    })

    test('reach a client of `ws`', async () => {
      const { server, url, next } = await runningServer(options)
      const client = new WsClient(url)
      const received: Buffer[] = []
      client.on('message', (data) => received.push(data as Buffer))
      const { socket } = await next()
      const closed = once(client, 'close') as Promise<[number, Buffer]>
      for (let index = 0; index < COUNT; index++) send(socket, index)
      expect(await server.shutdown()).toEqual({ closed: 1, terminated: 0 })
      expect((await closed)[0]).toBe(1001)
      expectAll(received)
    })
  },
)

test('delivers everything to a peer that starts to read during the shutdown', async () => {
  const { server, port, next } = await runningServer()
  const [raw, { socket }] = await Promise.all([pausedClient(port), next()])
  const callbacks: (Error | null | undefined)[] = []
  for (let index = 0; index < COUNT; index++) socket.send(numbered(index), (error) => callbacks.push(error))
  const shutdown = server.shutdown({ timeout: 60_000 })
  await expect(connect(`ws://127.0.0.1:${port}`)).rejects.toThrow()
  expect(socket.bufferedAmount).toBeGreaterThan(0)
  const frames = await framesOf(raw)
  expectAll(frames.slice(0, -1).map(({ payload }) => payload))
  expect(frames.at(-1)).toMatchObject({ opcode: opcode.close, payload: Buffer.from([0x03, 0xe9]) })
  expect(await shutdown).toEqual({ closed: 1, terminated: 0 })
  expect(callbacks).toHaveLength(COUNT)
  expect(callbacks.every((error) => !error)).toBe(true)
})

/** Reads all frames up to the Close frame, answers it, and waits for the end of the connection. */
async function framesOf(raw: Socket): Promise<ReceivedFrame[]> {
  const reader = new FrameReader()
  const frames: ReceivedFrame[] = []
  raw.on('data', (chunk: Buffer) => {
    frames.push(...reader.push(chunk))
    if (frames.at(-1)?.opcode === opcode.close) raw.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]))
  })
  raw.resume()
  await once(raw, 'end')
  return frames
}

test('delivers what a peer is still sending, and waits for its Close frame', async () => {
  const { server, port, next } = await runningServer()
  const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
  const heard = inbox(socket)
  const shutdown = server.shutdown()
  expect((await peer.next())?.opcode).toBe(opcode.close)
  const frame = (code: number, payload: Buffer): Buffer =>
    peer.encode({ opcode: code, payload, fin: true, rsv: 0 })
  peer.write(frame(opcode.text, Buffer.from('one thing more')))
  peer.write(frame(opcode.close, Buffer.from([0x03, 0xe9])))
  expect(await shutdown).toEqual({ closed: 1, terminated: 0 })
  expect(await heard.next()).toBe('one thing more')
})

describe('a peer that does not complete the closing handshake', () => {
  test('is terminated at the timeout and counted, whatever else it does', async () => {
    const { server, port, url, next } = await runningServer()
    const ignores = await openAsClient(port)
    const sendsOn = await openAsClient(port)
    const stalled = await pausedClient(port)
    await next()
    await next()
    const { socket } = await next()
    while (socket.send(Buffer.alloc(1_000_000)));
    const good = await Promise.all([connect(url), connect(url)])
    const ends = [...server.clients].map(closeOf)
    const timer = setInterval(() => {
      sendsOn.peer.write(
        sendsOn.peer.encode({ opcode: opcode.text, payload: Buffer.from('x'), fin: true, rsv: 0 }),
      )
    }, 5)
    onTestFinished(() => {
      clearInterval(timer)
      stalled.destroy()
    })
    expect(await server.shutdown({ timeout: 1000 })).toEqual({ closed: 2, terminated: 3 })
    const closes = await Promise.all(ends)
    expect(closes.filter(({ wasClean, code }) => wasClean && code === 1001)).toHaveLength(2)
    const cut = closes.filter(({ wasClean }) => !wasClean)
    expect(cut.map(({ code, cause }) => [code, (cause as NodeJS.ErrnoException).code])).toEqual(
      Array.from({ length: 3 }, () => [1006, 'WS_ERR_CLOSE_TIMEOUT']),
    )
    expect(good.map(({ readyState }) => readyState)).toEqual([WebSocket.CLOSED, WebSocket.CLOSED])
    expect((await ignores.peer.next())?.opcode).toBe(opcode.close)
    expect(await ignores.peer.next()).toBeUndefined()
    expect(server.stats()).toMatchObject({
      connections: 0,
      accepted: 5,
      bufferedAmount: 0,
      terminated: { WS_ERR_CLOSE_TIMEOUT: 3 },
    })
  })

  test('closes cleanly if its Close frame follows messages that a paused socket holds', async () => {
    const { server, url, next } = await runningServer()
    const [client, { socket }] = await Promise.all([connect(url), next()])
    socket.pause()
    client.send('never heard')
    const closed = closeOf(socket)
    const answered = closeOf(client)
    expect(await server.shutdown({ timeout: 500 })).toEqual({ closed: 1, terminated: 0 })
    expect(await closed).toMatchObject({ code: 1001, dropped: 1, wasClean: true, cause: undefined })
    expect(await answered).toMatchObject({ code: 1001, wasClean: true })
  })

  test('is terminated if no Close frame follows the messages that a paused socket holds', async () => {
    const { server, port, next } = await runningServer()
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    socket.pause()
    peer.write(clientFrame({ opcode: opcode.text, payload: 'never heard' }))
    const closed = closeOf(socket)
    expect(await server.shutdown({ timeout: 500 })).toEqual({ closed: 0, terminated: 1 })
    expect(await closed).toMatchObject({
      code: 1006,
      dropped: 1,
      wasClean: false,
      initiator: 'local',
      cause: { code: 'WS_ERR_CLOSE_TIMEOUT' },
    })
    expect(server.stats().terminated).toEqual({ WS_ERR_CLOSE_TIMEOUT: 1 })
    peer.destroy()
  })
})

describe('a new upgrade during a shutdown', () => {
  const UNAVAILABLE = { status: 503, body: 'The server is shutting down\n' }

  /** Begins a shutdown that lasts until the test lets the peer answer. */
  async function shuttingDown(
    options: WebSocketServerOptions,
    port: number,
    shutdown: ShutdownOptions = {},
  ): Promise<{ server: WebSocketServer; finish: () => Promise<void> }> {
    const server = new WebSocketServer(options)
    const { peer } = await openAsClient(port, {}, '/going')
    const result = server.shutdown(shutdown)
    expect((await peer.next())?.opcode).toBe(opcode.close)
    const finish = async (): Promise<void> => {
      peer.write(peer.encode({ opcode: opcode.close, payload: Buffer.from([0x03, 0xe9]), fin: true, rsv: 0 }))
      expect(await result).toEqual({ closed: 1, terminated: 0 })
    }
    return { server, finish }
  }

  test('receives a 503 on a shared http.Server, whose other servers and requests are served', async () => {
    const { http, port } = await startHttp((_request, response) => response.end('plain'))
    const other = new WebSocketServer({ server: http, path: '/staying' })
    const { server, finish } = await shuttingDown({ server: http, path: '/going' }, port)
    const answer = await refused(port, {}, 'GET /going HTTP/1.1')
    expect(answer).toMatchObject(UNAVAILABLE)
    expect(answer.fields.get('retry-after')).toBe('5')
    expect((await refused(port, {}, 'GET /nowhere HTTP/1.1')).status).toBe(404)
    const client = await connect(`ws://127.0.0.1:${port}/staying`)
    expect((await exchange(port, 'GET / HTTP/1.0\r\n\r\n')).body).toBe('plain')
    expect(server.stats().refused).toEqual({ shutdown: 1 })
    await finish()
    expect(client.readyState).toBe(WebSocket.OPEN)
    expect((await refused(port, {}, 'GET /going HTTP/1.1')).status).toBe(404)
    await other.shutdown()
  })

  test('receives a 503 with noServer', async () => {
    const { http, port } = await startHttp()
    const held: { server?: WebSocketServer } = {}
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      held.server?.handleUpgrade(request, socket, head, () => {})
    })
    held.server = new WebSocketServer({ noServer: true })
    const { peer } = await openAsClient(port)
    const result = held.server.shutdown()
    expect((await peer.next())?.opcode).toBe(opcode.close)
    expect(await refused(port)).toMatchObject(UNAVAILABLE)
    peer.destroy()
    expect(await result).toEqual({ closed: 0, terminated: 1 })
  })

  test("receives a 503 on the server's own port if its TCP connection is older, and is refused otherwise", async () => {
    const { server, port } = await runningServer()
    const early = connectSocket(port, '127.0.0.1')
    await once(early, 'connect')
    // Part of a request, because Node.js 26 closes connections that have sent nothing.
    const handshake = handshakeText()
    early.write(handshake.slice(0, 10))
    const { peer } = await openAsClient(port)
    const result = server.shutdown()
    expect((await peer.next())?.opcode).toBe(opcode.close)
    early.write(handshake.slice(10))
    const chunks: Buffer[] = []
    for await (const chunk of early) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 503 [^]*\r\nRetry-After: 5\r\n/)
    await expect(connect(`ws://127.0.0.1:${port}`)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(server.stats().refused).toEqual({ shutdown: 1 })
    peer.destroy()
    expect(await result).toEqual({ closed: 0, terminated: 1 })
  })
})
