import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { connect as connectSocket, type AddressInfo, type Socket } from 'node:net'
import {
  type Anonymous,
  anonymous,
  connect,
  refuse,
  WebSocket,
  WebSocketServer,
  type WebSocketServerOptions,
} from 'hubwire'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { exchange, handshakeText } from '../support/http-exchange.js'
import { startHttp } from '../support/http-server.js'
import { inbox, take } from '../support/inbox.js'
import { clientFrame, opcode } from '../support/raw-frame.js'
import { Queue } from '../support/queue.js'
import { openAsClient } from '../support/raw-handshake.js'
import { endWithTest, runningServer } from '../support/running-server.js'
import { thrownBy, webError } from '../support/web-error.js'
import { acceptance, scriptedServer } from '../support/scripted-server.js'
import { uncaught } from '../support/uncaught.js'

/** An echo shows that the server continues to serve. */
async function goesOn(port: number): Promise<void> {
  const client = await connect(`ws://127.0.0.1:${port}`)
  const closed = closeOf(client)
  client.close(1000)
  expect(await closed).toMatchObject({ code: 1000, wasClean: true })
}

test('treats extensions and subprotocols named constructor and __proto__ as ordinary names (ws, 2017)', async () => {
  const { port } = await runningServer({ perMessageDeflate: true })
  const { peer, response } = await openAsClient(port, {
    'Sec-WebSocket-Extensions':
      'constructor, __proto__; __proto__=1; constructor, toString; hasOwnProperty, permessage-deflate; __proto__',
    'Sec-WebSocket-Protocol': '__proto__, constructor, toString',
  })
  expect(response.fields.has('sec-websocket-extensions')).toBe(false)
  expect(response.fields.get('sec-websocket-protocol')).toBe('__proto__')
  expect(({} as { constructor: unknown }).constructor).toBe(Object)
  peer.destroy()
})

describe('refuses a 64 KiB extensions header before parsing it (CVE-2020-7662, CVE-2021-32640)', () => {
  test.each([
    ['one long parameter', `a; b="${'\\\\'.repeat(32_000)}`],
    ['one long token', 'a'.repeat(65_000)],
    ['many parameters', `a${'; b'.repeat(21_000)}`],
    ['many offers', 'permessage-deflate, '.repeat(3000)],
    ['white space', `a${' '.repeat(64_000)};`],
  ])('%s', async (_name, value) => {
    const http = createServer({ maxHeaderSize: 256 * 1024 }).listen(0, '127.0.0.1')
    await once(http, 'listening')
    onTestFinished(() => {
      http.close()
    })
    endWithTest(new WebSocketServer({ server: http, perMessageDeflate: true }))
    const { port } = http.address() as AddressInfo
    for (const name of ['Sec-WebSocket-Extensions', 'Sec-WebSocket-Protocol']) {
      const answer = await exchange(port, handshakeText({ [name]: value }))
      expect([400, 431]).toContain(answer.status)
      expect(answer.body.length).toBeGreaterThan(10)
    }
    await goesOn(port)
  })

  test('leaves it to node:http if its own limit is lower', async () => {
    const { port } = await runningServer()
    const text = handshakeText({ 'Sec-WebSocket-Extensions': 'a'.repeat(65_536) })
    // The server may end the connection before the client has sent everything, and then the answer is lost.
    const answer = await exchange(port, text).catch((error: unknown) => error)
    expect(answer).toMatchObject(answer instanceof Error ? { code: 'ECONNRESET' } : { status: 431 })
    await goesOn(port)
  })
})

describe('answers requests with 2,000 headers, more than node:http keeps (CVE-2024-37890)', () => {
  const many = 'a: 1\r\n'.repeat(2000)

  test.each([
    ['before those of the handshake', handshakeText().replace('\r\n', `\r\n${many}`)],
    ['after them', handshakeText().replace('\r\n\r\n', `\r\n${many}\r\n`)],
  ])('%s, and continues to serve', async (_name, text) => {
    const errors = uncaught()
    const { port } = await runningServer()
    const raw = connectSocket(port, '127.0.0.1')
    raw.write(text)
    const [chunk] = (await once(raw, 'data')) as [Buffer]
    expect(chunk.toString()).toMatch(/^HTTP\/1\.1 (101|400|426|431) /)
    raw.destroy()
    await goesOn(port)
    expect(errors).toEqual([])
  })

  test('and makes a client fail with a cause for such an answer', async () => {
    const { url } = await scriptedServer((request, socket) =>
      socket.write(acceptance(request).replace('\r\n', `\r\n${many}`)),
    )
    const close = await closeOf(new WebSocket(url))
    expect(close).toMatchObject({ code: 1006, wasClean: false })
    expect(close.cause).toBeInstanceOf(Error)
  })
})

describe('does not let CRLF inject headers (CVE-2026-1527)', () => {
  const evil = 'a\r\nInjected: yes'

  test.each<[string, WebSocketServerOptions]>([
    [
      'a refusal that authenticate throws',
      { authenticate: () => refuse(403, { headers: { 'X-Name': evil } }) },
    ],
    ['the name of a header', { authenticate: () => refuse(403, { headers: { [evil]: 'x' } }) }],
    [
      'a header of verifyClient',
      {
        verifyClient: (_info, answer) => {
          answer(false, 403, 'no', { 'X-Name': evil })
        },
      },
    ],
    ['a subprotocol that was not offered', { handleProtocols: () => evil }],
  ])('in %s: answers 500', async (_name, options) => {
    const errors = uncaught()
    const { port, server } = await runningServer(options)
    const reported = vi.fn()
    server.on('error', reported)
    const answer = await exchange(port, handshakeText({ 'Sec-WebSocket-Protocol': 'x' }))
    expect(answer.status).toBe(500)
    expect(answer.fields.has('injected')).toBe(false)
    expect(reported).toHaveBeenCalledTimes(1)
    expect(errors).toEqual([])
  })

  test('in a body', async () => {
    const { port } = await runningServer({
      authenticate: () => refuse(403, { body: `\r\n\r\nHTTP/1.1 200 OK\r\n${evil}` }) as never,
    })
    const answer = await exchange(port, handshakeText())
    expect([answer.status, answer.body]).toEqual([403, `\r\n\r\nHTTP/1.1 200 OK\r\n${evil}`])
  })

  test('in the options of a client', () => {
    expect(thrownBy(() => new WebSocket('ws://127.0.0.1:1', [evil]))).toEqual(webError('SyntaxError'))
    for (const options of [{ origin: evil }, { headers: { 'X-Name': evil } }, { headers: { [evil]: 'x' } }]) {
      expect(() => new WebSocket('ws://127.0.0.1:1', options)).toThrow(TypeError)
    }
  })
})

test.each([
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  'Host: other',
  'Origin: http://x',
])('refuses a duplicate of %s (CVE-2026-44546)', async (line) => {
  const { port } = await runningServer({ origins: '*' })
  const answer = await exchange(port, handshakeText({ Origin: 'http://y', 'X-Before': `x\r\n${line}` }))
  expect(answer.status).toBe(400)
})

test('refuses a page of another site by default (cross-site hijacking, CVE-2025-24010)', async () => {
  const { port, server } = await runningServer()
  const connections = vi.fn()
  server.on('connection', connections)
  for (const Origin of [
    'https://evil.example',
    'null',
    `http://127.0.0.1.evil.example:${port}`,
    `http://127.0.0.1:${port + 1}`,
  ]) {
    const answer = await exchange(port, handshakeText({ Host: `127.0.0.1:${port}`, Origin }))
    expect(answer.status).toBe(403)
    expect(answer.body).toContain(Origin)
  }
  expect(connections).not.toHaveBeenCalled()
  const { peer } = await openAsClient(port, { Origin: `http://127.0.0.1:${port}` })
  peer.destroy()
})

describe('survives a client that leaves during the handshake (crossws 0.4.17, engine.io 6.6.11)', () => {
  /** Each point at which the handshake waits, and how a test lets it continue. */
  const awaits: [string, (arrive: (goOn: (value: never) => void) => void) => WebSocketServerOptions][] = [
    [
      'origins',
      (arrive) => ({
        origins: () =>
          new Promise<boolean>((resolve) => {
            arrive(() => resolve(true))
          }),
      }),
    ],
    [
      'verifyClient',
      (arrive) => ({
        verifyClient: (_info, answer) => {
          arrive(() => answer(true))
        },
      }),
    ],
    [
      'authenticate',
      (arrive) => ({
        authenticate: () =>
          new Promise<Anonymous>((resolve) => {
            arrive(() => resolve(anonymous))
          }),
      }),
    ],
    [
      'authenticate that refuses',
      (arrive) => ({
        authenticate: () =>
          new Promise<Anonymous>((_resolve, reject) => {
            arrive(() => reject(refuse(403)))
          }),
      }),
    ],
    [
      'authenticate that fails',
      (arrive) => ({
        authenticate: () =>
          new Promise<Anonymous>((_resolve, reject) => {
            arrive(() => reject(new Error('failed')))
          }),
      }),
    ],
  ]
  const goings: [string, (socket: Socket) => void][] = [
    ['resets', (socket) => socket.resetAndDestroy()],
    ['ends', (socket) => socket.end()],
    ['destroys', (socket) => socket.destroy()],
    [
      'sends garbage and resets',
      (socket) => {
        socket.write(Buffer.alloc(100_000, 0xff), () => socket.resetAndDestroy())
      },
    ],
  ]
  const cases = awaits.flatMap(([where, options]) =>
    goings.map(([how, go]) => [how, where, options, go] as const),
  )

  test.each(cases)('when it %s in %s', async (_how, _where, options, go) => {
    const errors = uncaught()
    const arrivals = new Queue<(value: never) => void>()
    const { http, port } = await startHttp((_request, response) => response.end())
    const server = new WebSocketServer({
      server: http,
      origins: '*',
      ...options((goOn) => {
        arrivals.push(goOn)
      }),
    })
    server.on('error', () => {})
    endWithTest(server)
    for (const before of [true, false]) {
      const raw = connectSocket(port, '127.0.0.1')
      raw.on('error', () => {})
      raw.write(handshakeText({ Origin: 'https://other.example' }))
      const goOn = await arrivals.next()
      // Before the check ends, and just when it ends.
      if (before) {
        go(raw)
        await settled()
        goOn(undefined as never)
      } else {
        goOn(undefined as never)
        go(raw)
      }
      await settled()
      raw.destroy()
    }
    expect((await exchange(port, 'GET / HTTP/1.0\r\n\r\n')).status).toBe(200)
    expect(errors).toEqual([])
  })

  test('when it resets between the upgrade and handleUpgrade, with noServer', async () => {
    const errors = uncaught()
    const { http, port } = await startHttp()
    const server = new WebSocketServer({ noServer: true })
    http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      server.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.send('never read')
      })
    })
    for (let round = 0; round < 5; round++) {
      const raw = connectSocket(port, '127.0.0.1')
      raw.on('error', () => {})
      raw.write(handshakeText(), () => raw.resetAndDestroy())
      await once(raw, 'close')
    }
    await goesOn(port)
    expect(errors).toEqual([])
  })

  test('when it sends frames during a check, which are bounded and not lost', async () => {
    const arrivals = new Queue<IncomingMessage>()
    let admit: (user: Anonymous) => void = () => {}
    const { port, server } = await runningServer({
      authenticate: (request) => {
        arrivals.push(request)
        return new Promise<Anonymous>((resolve) => {
          admit = resolve
        })
      },
    })
    const frame = clientFrame({ opcode: opcode.binary, payload: Buffer.alloc(10_000, 'x') })
    const raw = connectSocket(port, '127.0.0.1')
    raw.write(handshakeText())
    for (let sent = 0; sent < 2000; sent++) raw.write(frame)
    const request = await arrivals.next()
    let before = -1
    while (raw.writableLength !== before) {
      before = raw.writableLength
      await settled()
    }
    expect(raw.writableLength).toBeGreaterThan(0)
    expect(request.socket.readableLength).toBeLessThan(300_000)
    const connected = once(server, 'connection') as Promise<[WebSocket<undefined>]>
    admit(anonymous)
    const [socket] = await connected
    const messages = await take(inbox(socket), 2000)
    expect(messages.every((message) => (message as Buffer).length === 10_000)).toBe(true)
    raw.destroy()
  })
})

test('closes only the connection that sends an invalid frame before the application adds its handlers (CVE-2022-21676)', async () => {
  const errors = uncaught()
  const { port, server } = await runningServer()
  const raw = connectSocket(port, '127.0.0.1')
  // The frame arrives together with the handshake, before any listener is added.
  raw.write(Buffer.concat([Buffer.from(handshakeText()), Buffer.from([0xff, 0xff, 0xff, 0xff])]))
  raw.resume()
  await once(raw, 'close')
  await settled()
  expect(server.clients.size).toBe(0)
  await goesOn(port)
  expect(errors).toEqual([])
})

test('keeps two servers on one http.Server from ending each other’s handshakes', async () => {
  const { http, port } = await startHttp()
  const servers = ['/a', '/b'].map((path) => new WebSocketServer({ server: http, path }))
  for (const server of servers) endWithTest(server)
  const clients = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      connect(`ws://127.0.0.1:${port}/${index % 2 === 0 ? 'a' : 'b'}`),
    ),
  )
  expect(servers.map((server) => server.clients.size)).toEqual([5, 5])
  for (const client of clients) client.terminate()
})

test('accepts a handshake with `Connection: keep-alive, Upgrade` (undici)', async () => {
  const { port } = await runningServer()
  const { peer } = await openAsClient(port, { Connection: 'keep-alive, Upgrade' })
  peer.destroy()
})

test('answers garbage in place of a request, and continues to serve', async () => {
  const { port } = await runningServer()
  for (const bytes of [
    Buffer.alloc(1000, 0xff),
    Buffer.from('\r\n'.repeat(100)),
    Buffer.from([0x16, 3, 1, 2, 0]),
  ]) {
    const raw = connectSocket(port, '127.0.0.1')
    raw.on('error', () => {})
    raw.end(bytes)
    raw.resume()
    await once(raw, 'close')
  }
  await goesOn(port)
})
