import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { connect as connectSocket, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  anonymous,
  connect,
  type Path,
  refuse,
  WebSocket,
  WebSocketServer,
  type WebSocketServerOptions,
} from 'hubwire'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { exchange, handshakeText } from '../support/http-exchange.js'
import { startHttp } from '../support/http-server.js'
import { openAsClient } from '../support/raw-handshake.js'
import { refused } from '../support/refused.js'
import { requestWith } from '../support/request.js'
import { rejecting } from '../support/rejecting.js'
import { isCollected } from '../support/garbage-collection.js'
import { endWithTest, runningServer } from '../support/running-server.js'
import { uncaught } from '../support/uncaught.js'
import { warningWith } from '../support/warning.js'

afterEach(() => {
  vi.useRealTimers()
})

type Callback = (socket: WebSocket<undefined>, request: IncomingMessage) => unknown

/** Starts an http.Server that passes its upgrades to a server with `noServer`. */
async function handingOver(
  callback: Callback,
  options: Omit<WebSocketServerOptions, 'noServer'> = {},
): Promise<{ http: Server; port: number; server: WebSocketServer }> {
  const { http, port } = await startHttp()
  const server = new WebSocketServer({ ...options, noServer: true })
  endWithTest(server)
  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    server.handleUpgrade(request, socket, head, callback)
  })
  return { http, port, server }
}

describe('shouldHandle (F7)', () => {
  class Gate extends WebSocketServer {
    asked = 0
    override shouldHandle(request: IncomingMessage): boolean {
      this.asked++
      return request.url?.includes('open') === true
    }
  }

  test("decides on a server's own port, called once for each upgrade", async () => {
    const gate = new Gate({ port: 0, host: '127.0.0.1' })
    endWithTest(gate)
    await once(gate, 'listening')
    const { port } = gate.address() as { port: number }
    expect((await refused(port)).status).toBe(404)
    expect(gate.asked).toBe(1)
    const { peer } = await openAsClient(port, {}, '/open')
    expect(gate.asked).toBe(2)
    peer.destroy()
  })

  test('is called once for each upgrade if handleUpgrade() is deferred', async () => {
    class Deferred extends Gate {
      readonly waiting: (() => void)[] = []
      override handleUpgrade(...upgrade: Parameters<WebSocketServer['handleUpgrade']>): void {
        this.waiting.push(() => {
          super.handleUpgrade(...upgrade)
        })
        if (this.waiting.length === 3) for (const goOn of this.waiting) goOn()
      }
    }
    const { http, port } = await startHttp()
    const gate = new Deferred({ server: http })
    endWithTest(gate)
    const opened = await Promise.all([1, 2, 3].map(() => openAsClient(port, {}, '/open')))
    expect(gate.asked).toBe(3)
    for (const { peer } of opened) peer.destroy()
  })

  test('leaves nothing at a server that does not handle the upgrade', async () => {
    const { http, port } = await startHttp()
    const [other, server] = ['/other', '/'].map((path) => new WebSocketServer({ server: http, path }))
    endWithTest(other!)
    endWithTest(server!)
    const closed = new Promise<WeakRef<IncomingMessage>>((resolve) => {
      server!.on('connection', (socket, request) => {
        const reference = new WeakRef(request)
        socket.on('close', () => {
          resolve(reference)
        })
      })
    })
    const { peer } = await openAsClient(port)
    peer.destroy()
    expect(await isCollected(await closed)).toBe(true)
  })

  test('decides on a shared http.Server', async () => {
    const { http, port } = await startHttp()
    const gates = [new Gate({ server: http }), new Gate({ server: http })]
    gates.forEach(endWithTest)
    expect((await refused(port)).status).toBe(404)
    expect(gates.map(({ asked }) => asked)).toEqual([1, 1])
    const { peer } = await openAsClient(port, {}, '/open')
    expect(gates.map(({ asked }) => asked)).toEqual([2, 1])
    peer.destroy()
  })

  test('decides in handleUpgrade()', async () => {
    const { http, port } = await startHttp()
    const gate = new Gate({ noServer: true })
    endWithTest(gate)
    const callback = vi.fn()
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      gate.handleUpgrade(request, socket, head, callback)
    })
    expect((await refused(port)).status).toBe(404)
    expect([gate.asked, callback.mock.calls.length]).toEqual([1, 0])
    const { peer } = await openAsClient(port, {}, '/open')
    expect([gate.asked, callback.mock.calls.length]).toEqual([2, 1])
    peer.destroy()
  })

  test('decides in a subclass even if the path does not match', async () => {
    const gate = new Gate({ port: 0, host: '127.0.0.1', path: /^\/open\/(?<id>\d+)$/ })
    endWithTest(gate)
    await once(gate, 'listening')
    const { port } = gate.address() as { port: number }
    const params: unknown[] = []
    gate.on('connection', (socket) => params.push(socket.params))
    for (const path of ['/open/7', '/open']) (await openAsClient(port, {}, path)).peer.destroy()
    expect(params).toEqual([{ id: '7' }, {}])
  })

  test("causes a 500 and an 'error' if it returns a Promise", async () => {
    class Late extends WebSocketServer {
      override shouldHandle(): boolean {
        return Promise.reject(new Error('late')) as unknown as boolean
      }
    }
    const lost = uncaught()
    const server = new Late({ port: 0, host: '127.0.0.1' })
    endWithTest(server)
    await once(server, 'listening')
    const failed = once(server, 'error') as Promise<[Error]>
    expect((await refused((server.address() as { port: number }).port)).status).toBe(500)
    expect((await failed)[0]).toBeInstanceOf(TypeError)
    expect((await failed)[0].message).toContain('shouldHandle returned a Promise')
    expect(lost).toEqual([])
  })

  test.each<[string, (options: { path: Path }) => Promise<number>]>([
    ['port', async (options) => (await runningServer(options)).port],
    [
      'server',
      async (options) => {
        const { http, port } = await startHttp()
        endWithTest(new WebSocketServer({ ...options, server: http }))
        endWithTest(new WebSocketServer({ server: http, path: '/elsewhere' }))
        return port
      },
    ],
    ['noServer', async (options) => (await handingOver(() => {}, options)).port],
  ])('with the option %s, calls a path function once for each upgrade', async (_name, start) => {
    const path = vi.fn((pathname: string) => pathname === '/yes')
    const port = await start({ path })
    const { peer } = await openAsClient(port, {}, '/yes')
    peer.destroy()
    expect(path).toHaveBeenCalledTimes(1)
    expect((await refused(port, {}, 'GET /no HTTP/1.1')).status).toBe(404)
    expect(path).toHaveBeenCalledTimes(2)
  })
})

describe('a request with a body (F9)', () => {
  test.each([
    [{ 'Content-Length': '5' }],
    [{ 'Transfer-Encoding': 'chunked' }],
    [{ 'Transfer-Encoding': 'gzip, chunked' }],
  ])('receives a 400 for %j', async (fields) => {
    const { server, port } = await runningServer()
    const answer = await exchange(port, `${handshakeText(fields)}5\r\nhello\r\n0\r\n\r\n`)
    expect([answer.status, answer.body]).toEqual([400, 'The request must not have a body\n'])
    expect(server.stats()).toMatchObject({ accepted: 0, refused: { handshake: 1 } })
  })

  test('is accepted with Content-Length: 0', async () => {
    const { port } = await runningServer()
    const { peer } = await openAsClient(port, { 'Content-Length': '0' })
    peer.destroy()
  })
})

test('destroys the socket of a refused client that does not read after closeTimeout (F22)', async () => {
  const { port, server } = await runningServer<string>({
    closeTimeout: 50,
    maxConnections: 1,
    authenticate: (request) =>
      request.url === '/' ? refuse(401, { body: 'x'.repeat(16 * 1024 * 1024) }) : 'somebody',
  })
  const raw = connectSocket(port, '127.0.0.1')
  onTestFinished(() => {
    raw.destroy()
  })
  raw.pause().write(handshakeText())
  // Its place is free again once its socket is closed.
  let client: WebSocket | undefined
  while (client === undefined) {
    client = await connect(`ws://127.0.0.1:${port}/other`).catch(() => undefined)
  }
  expect(server.stats().refused.application).toBe(1)
  client.terminate()
})

describe("a header that a 'headers' listener adds (F24)", () => {
  test('is sent as Latin-1', async () => {
    const { port, server } = await runningServer()
    server.on('headers', (headers) => {
      headers.push('X-Name: café')
    })
    const raw = connectSocket(port, '127.0.0.1')
    raw.write(handshakeText())
    const [chunk] = (await once(raw, 'data')) as [Buffer]
    expect(chunk.includes(Buffer.from('X-Name: café\r\n', 'latin1'))).toBe(true)
    raw.destroy()
  })

  test('causes a 500 if it is beyond Latin-1', async () => {
    const { port, server } = await runningServer()
    server.on('error', () => {})
    server.on('headers', (headers) => {
      headers.push('X-Name: 👋')
    })
    expect((await refused(port)).status).toBe(500)
  })
})

const ways: [string, () => unknown][] = [
  [
    'throws',
    (): never => {
      throw new Error('a bug')
    },
  ],
  ['rejects', (): Promise<never> => Promise.reject(new Error('a bug'))],
]

describe.each([
  ['without authenticate', {}],
  ['with an asynchronous authenticate', { authenticate: () => Promise.resolve(anonymous) }],
] satisfies [string, WebSocketServerOptions][])('%s (F28, F49)', (_name, options) => {
  test.each(ways)(
    'closes the connection with 1011 if the callback of handleUpgrade() %s',
    async (_how, way) => {
      const lost = uncaught()
      const { port, server } = await handingOver((socket) => {
        socket.on('error', () => {})
        return way()
      }, options)
      const client = await connect(`ws://127.0.0.1:${port}`)
      expect(await closeOf(client)).toMatchObject({ code: 1011, wasClean: true })
      expect(server.stats().accepted).toBe(1)
      expect(lost).toEqual([])
    },
  )

  test('answers with 500 if the constructor of a WebSocket subclass throws', async () => {
    class Broken extends WebSocket<undefined> {
      constructor(address: null) {
        super(address)
        throw new Error('no socket')
      }
    }
    const lost = uncaught()
    const { port, server } = await runningServer({
      ...options,
      WebSocket: Broken,
    })
    const failed = once(server, 'error') as Promise<[Error]>
    expect((await refused(port)).status).toBe(500)
    expect((await failed)[0].message).toBe('no socket')
    expect(server.stats()).toMatchObject({ connections: 0, accepted: 0, refused: { error: 1 } })
    expect(lost).toEqual([])
  })
})

test('throws a TypeError for a class that does not extend WebSocket', () => {
  const Other = EventEmitter as unknown as typeof WebSocket<undefined>
  expect(() => new WebSocketServer({ noServer: true, WebSocket: Other })).toThrow(TypeError)
})

describe("a listener of 'connection'", () => {
  test.each(ways)('that %s closes its connection with 1011', async (_how, way) => {
    const lost = uncaught()
    const { server, url } = await runningServer()
    server.prependListener('connection', (socket) => {
      socket.on('error', () => {})
      return way()
    })
    const client = await connect(url)
    expect(await closeOf(client)).toMatchObject({ code: 1011, wasClean: true })
    expect(lost).toEqual([])
  })

  test('that throws prevents later listeners from being called, as in emit()', async () => {
    const { server, url } = await runningServer()
    const calls: string[] = []
    server.on('connection', (socket) => {
      calls.push('first')
      socket.on('error', () => {})
      throw new Error('a bug')
    })
    server.on('connection', () => calls.push('second'))
    await closeOf(await connect(url))
    expect(calls).toEqual(['first'])
  })

  test('may be added by once(), and is called for an event that the application emits', async () => {
    const { port, server } = await handingOver((socket, request) => {
      expect(server.emit('connection', socket, request)).toBe(true)
    })
    const calls: string[] = []
    server.once('connection', function (this: WebSocketServer, socket) {
      calls.push(this === server ? 'once' : 'lost its server')
      socket.on('error', () => {})
    })
    server.on('connection', rejecting(new Error('a bug')))
    const client = await connect(`ws://127.0.0.1:${port}`)
    expect(await closeOf(client)).toMatchObject({ code: 1011 })
    expect(calls).toEqual(['once'])
    server.removeAllListeners('connection')
    const socket = new WebSocket<undefined>(null)
    expect(server.emit('connection', socket, requestWith({}))).toBe(false)
  })
})

describe('handleUpgrade (F34)', () => {
  test.each<[string, Callback | undefined]>([
    ['the same server', undefined],
    ['another server', () => {}],
  ])('throws if %s has already taken the socket', async (_name, other) => {
    const { http, port, server } = await handingOver(() => {})
    const second = other === undefined ? server : new WebSocketServer({ noServer: true })
    const thrown: unknown[] = []
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      try {
        second.handleUpgrade(request, socket, head, () => {})
      } catch (error) {
        thrown.push(error)
      }
    })
    const { peer } = await openAsClient(port)
    expect(String(thrown)).toContain('handleUpgrade() was called more than once with the same socket')
    peer.destroy()
  })
})

describe("an 'error' listener that throws (F41)", () => {
  test('does not prevent the answer or keep a place occupied', async () => {
    const lost = uncaught()
    const { server, port } = await runningServer<string>({
      maxConnections: 1,
      authenticate: (request) => {
        if (request.url === '/bug') throw new Error('a bug')
        return 'somebody'
      },
    })
    server.on('error', () => {
      throw new Error('a bug of the F41 listener')
    })
    const warned = warningWith('a bug of the F41 listener')
    for (let count = 0; count < 3; count++) {
      expect((await refused(port, {}, 'GET /bug HTTP/1.1')).status).toBe(500)
    }
    expect((await warned).message).toContain('a bug of the F41 listener')
    const { peer } = await openAsClient(port)
    peer.destroy()
    expect(lost).toEqual([])
  })

  test("does not prevent the answer if it listens to 'wsClientError'", async () => {
    const lost = uncaught()
    const { server, port } = await runningServer()
    server.on('error', () => {})
    server.on('wsClientError', () => {
      throw new Error('a bug')
    })
    expect((await refused(port, { 'Sec-WebSocket-Key': 'short' })).status).toBe(400)
    expect(lost).toEqual([])
  })
})

describe("'error' of the http.Server (F14)", () => {
  const inUse = Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE' })

  test('is not emitted by our servers if the application handles it', () => {
    const http = createServer()
    const handled = vi.fn()
    http.once('error', handled)
    const servers = [1, 2].map(() => new WebSocketServer({ server: http }))
    http.emit('error', inUse)
    expect(handled).toHaveBeenCalledTimes(1)
    for (const server of servers) server.close()
  })

  test('reaches those of our servers that have a listener', () => {
    const http = createServer()
    const servers = [1, 2].map(() => new WebSocketServer({ server: http }))
    const handled = vi.fn()
    servers[1]?.on('error', handled)
    http.emit('error', inUse)
    expect(handled.mock.calls).toEqual([[inUse]])
    for (const server of servers) server.close()
  })

  test('throws without any listener, as it does without us', () => {
    const http = createServer()
    const server = new WebSocketServer({ server: http })
    expect(() => http.emit('error', inUse)).toThrow(inUse)
    server.close()
  })

  test("is uncaught without a listener on a server's own port", async () => {
    const lost = uncaught()
    const { port } = await runningServer()
    const server = new WebSocketServer({ port, host: '127.0.0.1' })
    while (lost.length === 0) await new Promise((resolve) => setImmediate(resolve))
    expect(lost).toMatchObject([{ code: 'EADDRINUSE' }])
    server.close()
  })

  test('is ignored after close()', async () => {
    const lost = uncaught()
    const { port } = await runningServer()
    const server = new WebSocketServer({ port, host: '127.0.0.1' })
    server.close()
    await once(server, 'close')
    const next = new WebSocketServer({ port, host: '127.0.0.1' })
    await once(next, 'error')
    expect(lost).toEqual([])
  })
})

describe('null options', () => {
  const NAMES: (keyof WebSocketServerOptions)[] = [
    'host',
    'backlog',
    'unixPath',
    'unixMode',
    'server',
    'noServer',
    'path',
    'handleProtocols',
    'clientTracking',
    'WebSocket',
    'perMessageDeflate',
    'maxPayload',
    'maxFragments',
    'closeTimeout',
    'maxBufferedAmount',
    'slowPolicy',
    'messageRate',
    'controlFrameRate',
    'heartbeat',
    'autoPong',
    'skipUTF8Validation',
    'textType',
    'origins',
    'trustProxy',
    'verifyClient',
    'authenticate',
    'handshakeTimeout',
    'maxConnections',
    'maxConnectionsPerAddress',
  ]

  test('mean the default', async () => {
    const options = Object.fromEntries(NAMES.map((name) => [name, null])) as WebSocketServerOptions
    const { server, port } = await runningServer({ ...options, host: '127.0.0.1' })
    const { peer } = await openAsClient(port)
    expect(server.clients.size).toBe(1)
    peer.destroy()
  })

  test('mean the default for port, and in shutdown(), refuse() and close()', async () => {
    const server = new WebSocketServer({ port: null as unknown as number, noServer: true })
    expect(refuse(401, null as unknown as object)).toMatchObject({
      status: 401,
      headers: {},
      body: 'Unauthorized\n',
    })
    expect(refuse(401, { headers: null as unknown as Record<string, string> }).headers).toEqual({})
    server.close(null)
    const other = new WebSocketServer({ noServer: true })
    const options = { code: null, reason: null, timeout: null, spread: null } as unknown as object
    expect(await other.shutdown(options)).toEqual({ closed: 0, terminated: 0 })
  })
})

test.each([0, Infinity])('sets no timer for handshakeTimeout: %d (F11)', async (handshakeTimeout) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const { server, port } = await runningServer<string>({
    handshakeTimeout,
    authenticate: async () => {
      // The time would begin in the next phase of the event loop.
      await settled()
      vi.advanceTimersByTime(60_000)
      return 'somebody'
    },
  })
  const { peer } = await openAsClient(port)
  expect(server.stats()).toMatchObject({ accepted: 1, refused: {} })
  peer.destroy()
})

test('survives a client that resets while it is checked, refused or accepted', async () => {
  const lost = uncaught()
  const { server, port } = await runningServer()
  const raws: Socket[] = []
  for (const text of [
    handshakeText(),
    handshakeText({ 'Sec-WebSocket-Key': 'x' }),
    handshakeText({ Origin: 'x' }),
  ]) {
    const raw = connectSocket(port, '127.0.0.1').on('error', () => {})
    await once(raw, 'connect')
    raw.write(text)
    raw.resetAndDestroy()
    raws.push(raw)
  }
  const { peer } = await openAsClient(port)
  expect(lost).toEqual([])
  peer.destroy()
  await closeOf([...server.clients][0]!)
})

test('a socket that the application has paused before handleUpgrade() delivers its messages', async () => {
  const { http, port } = await startHttp()
  const server = new WebSocketServer({ noServer: true })
  endWithTest(server)
  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.pause()
    setImmediate(() => {
      server.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('message', (data) => webSocket.send(data))
      })
    })
  })
  const client = await connect(`ws://127.0.0.1:${port}`)
  client.send('hello')
  expect(await once(client, 'message')).toEqual(['hello', false])
  client.terminate()
})
