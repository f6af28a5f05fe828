import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect as connectSocket, type Socket } from 'node:net'
import {
  anonymous,
  connect,
  createWebSocketStream,
  Hub,
  WebSocket,
  WebSocketServer,
  type WebSocketServerOptions,
} from 'hubwire'
import { describe, expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { isCollected } from '../support/garbage-collection.js'
import { exchange, handshakeText } from '../support/http-exchange.js'
import { startHttp } from '../support/http-server.js'
import { inbox, take } from '../support/inbox.js'
import { openAsClient } from '../support/raw-handshake.js'
import { runningServer, type RunningServer } from '../support/running-server.js'
import { scriptedServer } from '../support/scripted-server.js'

type Running = RunningServer<undefined>

/** Counts of what keeps the process alive, by kind: timers, sockets, jobs of the thread pool. */
type Resources = ReadonlyMap<string, number>

function activeResources(): Resources {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

/** What exists in addition to what existed before, after enough turns for everything to be released. */
async function newResources(before: Resources): Promise<[name: string, count: number][]> {
  for (let round = 0; round < 5; round++) await settled()
  return [...activeResources()]
    .map(([name, count]): [string, number] => [name, count - (before.get(name) ?? 0)])
    .filter(([, count]) => count > 0)
}

/** Ways in which a connection can live and end; each returns weak references to what must be gone. */
const lives: [string, WebSocketServerOptions, (running: Running) => Promise<WeakRef<object>[]>][] = [
  [
    'messages and a closing handshake',
    {},
    async ({ url, next }) => {
      const [client, { socket, request }] = await Promise.all([connect(url), next()])
      const messages = inbox(client)
      socket.on('message', (data) => socket.send(data as string))
      for (let sent = 0; sent < 10; sent++) client.send('x'.repeat(sent * 3000))
      await take(messages, 10)
      const closes = Promise.all([closeOf(client), closeOf(socket)])
      client.close(1000)
      await closes
      return [client, socket, request, request.socket].map((object) => new WeakRef(object))
    },
  ],
  [
    'a reset in the middle of a frame',
    {},
    async ({ port, next }) => {
      const [{ peer }, { socket, request }] = await Promise.all([openAsClient(port), next()])
      const closed = closeOf(socket)
      peer.write(Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x0f, 0, 0, 1, 2, 3, 4, 5]))
      await settled()
      peer.reset()
      await closed
      return [socket, request, request.socket].map((object) => new WeakRef(object))
    },
  ],
  [
    'a fault of the peer',
    {},
    async ({ port, next }) => {
      const [{ peer }, { socket, request }] = await Promise.all([openAsClient(port), next()])
      const closed = closeOf(socket)
      peer.write(Buffer.alloc(100, 0xff))
      await peer.next()
      peer.end()
      await closed
      return [socket, request, request.socket].map((object) => new WeakRef(object))
    },
  ],
  [
    'terminate() while it is paused and zlib works',
    { perMessageDeflate: { threshold: 0 } },
    async ({ url, next }) => {
      const [client, { socket, request }] = await Promise.all([
        connect(url, { perMessageDeflate: true }),
        next(),
      ])
      const closes = Promise.all([closeOf(client), closeOf(socket)])
      client.send(Buffer.alloc(500_000))
      socket.send(Buffer.alloc(500_000))
      socket.pause()
      await settled()
      socket.terminate()
      await closes
      return [client, socket, request, request.socket].map((object) => new WeakRef(object))
    },
  ],
  [
    'a Close that is never answered',
    { closeTimeout: 10 },
    async ({ port, next }) => {
      const [{ peer }, { socket, request }] = await Promise.all([openAsClient(port), next()])
      const closed = closeOf(socket)
      socket.close(1000)
      await closed
      peer.destroy()
      return [socket, request, request.socket].map((object) => new WeakRef(object))
    },
  ],
  [
    'silence',
    { heartbeat: { interval: 10, timeout: 10 } },
    async ({ port, next }) => {
      const [{ peer }, { socket, request }] = await Promise.all([openAsClient(port), next()])
      await closeOf(socket)
      peer.destroy()
      return [socket, request, request.socket].map((object) => new WeakRef(object))
    },
  ],
  [
    'groups, a loop and a stream',
    {},
    async ({ url, next }) => {
      const hub = new Hub()
      const [one, { socket: first }] = await Promise.all([connect(url), next()])
      const [two, { socket: second }] = await Promise.all([connect(url), next()])
      for (const socket of [first, second]) hub.group('a').add(socket)
      hub.broadcast('a', 'x')
      const duplex = createWebSocketStream(second)
      duplex.resume()
      for await (const message of one) if (message === 'x') break
      const closes = Promise.all([one, two, first, second].map(closeOf))
      one.close()
      two.close()
      await closes
      expect(hub.stats()).toMatchObject({ groups: 0, members: 0 })
      return [one, two, first, second, duplex].map((object) => new WeakRef(object))
    },
  ],
  [
    'a handshake with a check, and one that is refused',
    {
      authenticate: async (request) => {
        await settled()
        if (request.url === '/no') throw new Error('no')
        return anonymous
      },
    },
    async ({ server, url, port, next }) => {
      server.on('error', () => {})
      const requests: WeakRef<IncomingMessage>[] = []
      server.on('headers', (_headers, request) => requests.push(new WeakRef(request)))
      const [client, { socket }] = await Promise.all([connect(url), next()])
      expect((await exchange(port, handshakeText({}, 'GET /no HTTP/1.1'))).status).toBe(500)
      const closes = Promise.all([closeOf(client), closeOf(socket)])
      client.close()
      await closes
      return [...requests, new WeakRef(client), new WeakRef(socket)]
    },
  ],
]

describe('leaves nothing behind after', () => {
  test.each(lives)('%s: no reference, no timer, no socket', async (_name, options, live) => {
    const running = await runningServer(options)
    const before = activeResources()
    const references = await live(running)
    expect(running.server.clients.size).toBe(0)
    const left = []
    for (const reference of references) if (!(await isCollected(reference))) left.push(reference.deref())
    expect(left.map((object) => object?.constructor.name)).toEqual([])
    expect(await newResources(before)).toEqual([])
  })

  test('a failed attempt to connect', async () => {
    const { url } = await scriptedServer((_request, socket) => socket.end('HTTP/1.1 500 No\r\n\r\n'))
    const before = activeResources()
    const attempt = async (): Promise<WeakRef<WebSocket>> => {
      const socket = new WebSocket(url)
      await closeOf(socket)
      return new WeakRef(socket)
    }
    expect(await isCollected(await attempt())).toBe(true)
    expect(await newResources(before)).toEqual([])
  })

  test('a server on a shared http.Server', async () => {
    const { http, port } = await startHttp()
    const before = activeResources()
    const live = async (): Promise<WeakRef<WebSocketServer>> => {
      const server = new WebSocketServer({ server: http })
      const client = await connect(`ws://127.0.0.1:${port}`)
      await server.shutdown()
      expect(client.readyState).toBe(WebSocket.CLOSED)
      return new WeakRef(server)
    }
    expect(await isCollected(await live())).toBe(true)
    expect(await newResources(before)).toEqual([])
  })
})

test('does not keep the upgrade request of an open connection alive', async () => {
  const open = async (): Promise<[WebSocket, WeakRef<IncomingMessage>]> => {
    const { http, port } = await startHttp()
    const server = new WebSocketServer({ noServer: true })
    let request: WeakRef<IncomingMessage> | undefined
    http.on('upgrade', (upgrade: IncomingMessage, socket: Socket, head: Buffer) => {
      request = new WeakRef(upgrade)
      server.handleUpgrade(upgrade, socket, head, () => {})
    })
    return [await connect(`ws://127.0.0.1:${port}`), request!]
  }
  const [client, request] = await open()
  expect(await isCollected(request)).toBe(true)
  expect(client.readyState).toBe(WebSocket.OPEN)
  client.terminate()
})

test('adds few listeners to the socket of an open connection, and no timer', async () => {
  const { url, next } = await runningServer()
  const [first, { request }] = await Promise.all([connect(url), next()])
  const names = request.socket.eventNames()
  for (const name of names) expect(request.socket.listenerCount(name)).toBeLessThanOrEqual(2)
  const before = activeResources()
  const others = await Promise.all(Array.from({ length: 20 }, () => connect(url)))
  // The timers of heartbeats, one for all of the server's, keep no process alive.
  const added = await newResources(before)
  expect(added.map(([name]) => name).filter((name) => name === 'Timeout')).toEqual([])
  for (const client of [first, ...others]) client.terminate()
})

test('returns the process to its initial state after 500 connections', async () => {
  const { port, server } = await runningServer()
  const before = activeResources()
  const endings: ((socket: Socket) => void)[] = [
    (socket) => socket.end(),
    (socket) => socket.destroy(),
    (socket) => socket.resetAndDestroy(),
    (socket) => socket.write(Buffer.from([0x88, 0x80, 0, 0, 0, 0])),
    (socket) => socket.end(Buffer.alloc(10, 0xff)),
  ]
  for (let round = 0; round < 10; round++) {
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const socket = connectSocket(port, '127.0.0.1')
        socket.on('error', () => {})
        socket.write(handshakeText())
        if (index % 2 === 0) await once(socket, 'data')
        socket.resume()
        const closed = once(socket, 'close')
        endings[index % endings.length]!(socket)
        await closed
      }),
    )
  }
  for (let round = 0; round < 5; round++) await settled()
  expect(server.clients.size).toBe(0)
  expect(await newResources(before)).toEqual([])
})
