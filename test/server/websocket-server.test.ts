import { once } from 'node:events'
import { createServer, type IncomingMessage, request as httpRequest } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { connect as connectSocket, type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, HandshakeError, WebSocket, WebSocketServer, type WebSocketServerOptions } from 'hubwire'
import { WebSocketServer as WsServer } from 'ws'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { makeCertificate } from '../support/certificate.js'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { exchange, handshakeText } from '../support/http-exchange.js'
import { startHttp } from '../support/http-server.js'
import { openPair } from '../support/open-pair.js'
import { rejecting } from '../support/rejecting.js'
import { openAsClient } from '../support/raw-handshake.js'
import { endWithTest, runningServer } from '../support/running-server.js'
import { warningWith } from '../support/warning.js'

describe('a server', () => {
  test('listens on its own port, and responds with 426 to plain requests', async () => {
    const { server, port } = await runningServer({ backlog: 8 })
    expect(server.address()).toMatchObject({ port, address: '127.0.0.1' })
    const answer = await exchange(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(answer.status).toBe(426)
    expect(answer.fields.get('upgrade')).toBe('websocket')
    expect(answer.fields.get('connection')).toBe('close, Upgrade')
    expect(answer.fields.get('content-length')).toBe(String(answer.body.length))
    expect(answer.body).toContain('WebSocket')
    const client = await connect(`ws://127.0.0.1:${port}`)
    client.close()
  })

  test('calls back when it listens', async () => {
    const server = await new Promise<WebSocketServer>((resolve) => {
      const created: WebSocketServer = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => {
        resolve(created)
      })
    })
    endWithTest(server)
    expect((server.address() as AddressInfo).port).toBeGreaterThan(0)
  })

  test("emits 'error' if the port is in use", async () => {
    const { port } = await runningServer()
    const server = new WebSocketServer({ port, host: '127.0.0.1' })
    const [error] = (await once(server, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('EADDRINUSE')
    expect(await new Promise((resolve) => server.close(resolve))).toBeUndefined()
  })

  test('serves an http.Server with other requests', async () => {
    const { http, port } = await startHttp((_request, response) => response.end('page'))
    const server = new WebSocketServer({ server: http })
    endWithTest(server)
    const client = await connect(`ws://127.0.0.1:${port}/any`)
    expect((await exchange(port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).body).toContain(
      'page',
    )
    expect(server.address()).toEqual(http.address())
    const closed = closeOf(client)
    client.close()
    await closed
  })

  test("serves an http.Server that listens later, and emits its 'listening' and 'error'", async () => {
    const http = createServer()
    const server = new WebSocketServer({ server: http })
    const listening = once(server, 'listening')
    http.listen(0, '127.0.0.1')
    await listening
    const failed = once(server, 'error')
    http.emit('error', new Error('of the server'))
    expect(await failed).toEqual([new Error('of the server')])
    server.close()
    await once(server, 'close')
    const heard = vi.fn()
    server.on('error', heard)
    http.on('error', () => {})
    http.emit('error', new Error('later'))
    expect(heard).not.toHaveBeenCalled()
    http.close()
  })

  test('serves an https.Server', async () => {
    const certificate = makeCertificate()
    const https = createSecureServer(certificate).listen(0, '127.0.0.1')
    await once(https, 'listening')
    onTestFinished(() => {
      https.close()
    })
    const server = new WebSocketServer({ server: https })
    endWithTest(server)
    const { port } = https.address() as AddressInfo
    const connected = once(server, 'connection') as Promise<[WebSocket<undefined>, IncomingMessage]>
    const client = await connect(`wss://localhost:${port}`, { ca: certificate.cert, host: '127.0.0.1' })
    const [socket] = await connected
    socket.send('over TLS')
    expect(await once(client, 'message')).toEqual(['over TLS', false])
    const closed = closeOf(client)
    client.close(1000)
    expect(await closed).toMatchObject({ code: 1000, wasClean: true })
  })

  test('handles the upgrades that it is given, with noServer', async () => {
    const { http, port } = await startHttp()
    const server = new WebSocketServer({ noServer: true, path: '/mine' })
    const connections = vi.fn()
    server.on('connection', connections)
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      server.handleUpgrade(request, socket, head, (webSocket, again) => {
        expect(again).toBe(request)
        webSocket.send('welcome')
      })
    })
    const client = new WebSocket(`ws://127.0.0.1:${port}/mine`)
    expect(await once(client, 'message')).toEqual(['welcome', false])
    expect(connections).not.toHaveBeenCalled()
    expect(server.clients.size).toBe(1)
    const other = await exchange(port, handshakeText({}, 'GET /other HTTP/1.1'))
    expect([other.status, other.body]).toEqual([404, 'No WebSocket server handles this path\n'])
    expect(() => server.address()).toThrow(/noServer.*call address\(\) on the HTTP server/)
    expect(await server.shutdown()).toEqual({ closed: 1, terminated: 0 })
    const late = await exchange(port, handshakeText({}, 'GET /mine HTTP/1.1'))
    expect([late.status, late.fields.get('retry-after')]).toEqual([503, '5'])
  })

  test('drops an upgrade whose socket has already closed', async () => {
    const { http, port } = await startHttp()
    const server = new WebSocketServer({ noServer: true, maxConnections: 1 })
    endWithTest(server)
    const callback = vi.fn()
    const dropped = new Promise<void>((resolve) => {
      http.once('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        socket.once('error', () => {})
        socket.once('close', () => {
          server.handleUpgrade(request, socket, head, callback)
          resolve()
        })
      })
    })
    const raw = connectSocket(port, '127.0.0.1')
    raw.write(handshakeText())
    await once(http, 'upgrade')
    raw.resetAndDestroy()
    await dropped
    expect(callback).not.toHaveBeenCalled()
    // It does not count towards `maxConnections`.
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      server.handleUpgrade(request, socket, head, callback)
    })
    const client = await connect(`ws://127.0.0.1:${port}`)
    expect(callback).toHaveBeenCalledTimes(1)
    client.terminate()
  })

  test.each([
    [{}],
    [{ port: 0, noServer: true }],
    [{ port: 0, unixPath: '/nowhere' }],
    [{ server: createServer(), noServer: true }],
    [{ noServer: false }],
  ] satisfies [WebSocketServerOptions][])('throws a TypeError for contradictory options: %o', (options) => {
    expect(() => new WebSocketServer(options)).toThrow(
      /^Exactly one of the options port, unixPath, server and noServer must be given; /,
    )
  })

  test.each([
    ['maxPayload', -1],
    ['maxPayload', NaN],
    ['maxFragments', 0],
    ['closeTimeout', -1],
    ['maxBufferedAmount', 0],
    ['handshakeTimeout', -1],
    ['handshakeTimeout', NaN],
    ['handshakeTimeout', 2 ** 31],
    ['maxConnections', 0],
    ['maxConnectionsPerAddress', 0],
    ['maxPayload', '1' as unknown as number],
  ])('throws a RangeError that names an option out of range: %s %s', (name, value) => {
    expect(() => new WebSocketServer({ noServer: true, [name]: value })).toThrow(RangeError)
    expect(() => new WebSocketServer({ noServer: true, [name]: value })).toThrow(name)
  })

  test('throws a RangeError for options of permessage-deflate and the heartbeat out of range', () => {
    for (const options of [
      { perMessageDeflate: { serverMaxWindowBits: 8 } },
      { perMessageDeflate: { threshold: -1 } },
      { heartbeat: { interval: 0 } },
      { heartbeat: { timeout: NaN } },
      { heartbeat: { timeout: 2 ** 31 } },
    ] satisfies WebSocketServerOptions[]) {
      expect(() => new WebSocketServer({ noServer: true, ...options })).toThrow(RangeError)
    }
  })
})

describe('several servers on one http.Server', () => {
  test('handle the upgrades that match their paths, and answer others with a complete 404', async () => {
    const { http, port } = await startHttp()
    const seen: string[] = []
    for (const path of ['/one', /^\/two\/(?<name>\w+)$/, (pathname: string) => pathname === '/three']) {
      const server = new WebSocketServer({ server: http, path })
      endWithTest(server)
      server.on('connection', (socket, request) => {
        seen.push(`${String(path)} ${request.url ?? ''} ${JSON.stringify(socket.params)}`)
      })
    }
    expect(http.listenerCount('upgrade')).toBe(1)
    for (const path of ['/one?query', '/two/x%20y', '/two/xy', '/three']) {
      await connect(`ws://127.0.0.1:${port}${path}`).then(
        (client) => {
          client.terminate()
        },
        (error: unknown) => seen.push(String(error)),
      )
    }
    expect(seen).toEqual([
      '/one /one?query {}',
      'HandshakeError: 404 Not Found: No WebSocket server handles this path',
      '/^\\/two\\/(?<name>\\w+)$/ /two/xy {"name":"xy"}',
      '(pathname) => pathname === "/three" /three {}',
    ])
    const answer = await exchange(port, handshakeText({}, 'GET /four HTTP/1.1'))
    expect(answer.status).toBe(404)
    expect(answer.body).toBe('No WebSocket server handles this path\n')
    expect(answer.fields.get('content-length')).toBe(String(answer.body.length))
    expect(answer.fields.get('connection')).toBe('close')
  })

  test('leave the http.Server as it was once the last of them has closed', async () => {
    const { http, port } = await startHttp()
    const names = ['upgrade', 'error', 'listening', 'close'] as const
    const before = names.map((name) => http.listenerCount(name))
    const [one, two] = ['/one', '/two'].map((path) => new WebSocketServer({ server: http, path }))
    const client = await connect(`ws://127.0.0.1:${port}/one`)
    one?.close()
    expect((await exchange(port, handshakeText({}, 'GET /one HTTP/1.1'))).status).toBe(404)
    client.send('still open')
    await settled()
    expect(client.readyState).toBe(WebSocket.OPEN)
    client.terminate()
    const other = await connect(`ws://127.0.0.1:${port}/two`)
    other.terminate()
    two?.close()
    await settled()
    expect(names.map((name) => http.listenerCount(name))).toEqual(before)
  })

  test('leave an upgrade to another protocol to its own listener', async () => {
    const { http, port } = await startHttp()
    endWithTest(new WebSocketServer({ server: http }))
    http.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
      if (request.headers.upgrade === 'other/1') socket.end('HTTP/1.1 101 Other\r\n\r\nother protocol')
    })
    expect((await exchange(port, handshakeText({ Upgrade: 'other/1' }))).body).toBe('other protocol')
    const client = await connect(`ws://127.0.0.1:${port}`)
    client.terminate()
  })

  test('hand such an upgrade back as a plain request if there is no other listener (F51)', async () => {
    const { http, port } = await startHttp((request, response) => {
      response.end(`plain ${request.url ?? ''} ${String(request.headers.upgrade)}`)
    })
    endWithTest(new WebSocketServer({ server: http }))
    const answer = await exchange(port, handshakeText({ Upgrade: 'other/1', Connection: 'Upgrade, close' }))
    expect([answer.status, answer.body]).toEqual([200, 'plain / undefined'])
  })

  test('share the http.Server with `ws`', async () => {
    const { http, port } = await startHttp()
    const ours = new WebSocketServer({ server: http, path: '/ours' })
    endWithTest(ours)
    ours.on('connection', (socket) => socket.send('ours'))
    const theirs = new WsServer({ noServer: true })
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (request.url !== '/theirs') return
      theirs.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.send('theirs')
      })
    })
    for (const name of ['ours', 'theirs']) {
      const client = new WebSocket(`ws://127.0.0.1:${port}/${name}`)
      expect((await once(client, 'message')) as unknown).toEqual([name, false])
      client.terminate()
    }
    theirs.close()
  })
})

describe('the response to a malformed handshake', () => {
  const refused: [string, number, string, string | Buffer][] = [
    ['no Host', 400, 'Host', handshakeText({ Host: undefined })],
    ['an empty Host', 400, 'Host', handshakeText({ Host: '' })],
    ['two Hosts', 400, 'host', handshakeText({ 'X-Before': 'x\r\nHost: other' })],
    ['POST', 405, 'GET', handshakeText({}, 'POST / HTTP/1.1')],
    ['HTTP/1.0', 400, 'HTTP/1.1', handshakeText({}, 'GET / HTTP/1.0')],
    ['no version', 426, '13', handshakeText({ 'Sec-WebSocket-Version': undefined })],
    ['version 8', 426, '13', handshakeText({ 'Sec-WebSocket-Version': '8' })],
    [
      'two versions',
      400,
      'sec-websocket-version',
      handshakeText({ 'X-Before': 'x\r\nSec-WebSocket-Version: 13' }),
    ],
    ['no key', 400, 'Sec-WebSocket-Key', handshakeText({ 'Sec-WebSocket-Key': undefined })],
    ['a short key', 400, 'Sec-WebSocket-Key', handshakeText({ 'Sec-WebSocket-Key': 'c2hvcnQ=' })],
    [
      'a key that is not base64',
      400,
      'Sec-WebSocket-Key',
      handshakeText({ 'Sec-WebSocket-Key': '!'.repeat(24) }),
    ],
    [
      'two keys',
      400,
      'sec-websocket-key',
      handshakeText({ 'X-Before': 'x\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' }),
    ],
    ['two origins', 400, 'origin', handshakeText({ Origin: 'http://a\r\nOrigin: http://b' })],
    ['an empty subprotocol list', 400, '', handshakeText({ 'Sec-WebSocket-Protocol': '' })],
    ['a subprotocol that is not a token', 400, '', handshakeText({ 'Sec-WebSocket-Protocol': 'a b' })],
    ['a subprotocol twice', 400, '', handshakeText({ 'Sec-WebSocket-Protocol': 'a, a' })],
    ['malformed extensions', 400, '', handshakeText({ 'Sec-WebSocket-Extensions': 'a; b="c' })],
  ]

  test.each(refused)('is complete for %s: %i', async (_name, status, word, text) => {
    const { port, server } = await runningServer()
    const connections = vi.fn()
    server.on('connection', connections)
    const answer = await exchange(port, text)
    expect(answer.status).toBe(status)
    expect(answer.line).toMatch(/^HTTP\/1\.1 \d{3} \w/)
    // node:http itself refuses the first one if it checks the Host header.
    if (answer.body === '') expect(word).toBe('Host')
    else {
      expect(answer.fields.get('connection')).toBe('close')
      expect(answer.fields.get('content-type')).toBe('text/plain; charset=utf-8')
      expect(answer.fields.get('content-length')).toBe(String(Buffer.byteLength(answer.body)))
      expect(answer.body).toContain(word)
      expect(answer.body.length).toBeGreaterThan(10)
    }
    if (status === 426) {
      expect(answer.fields.get('sec-websocket-version')).toBe('13')
      expect(answer.fields.get('upgrade')).toBe('websocket')
    }
    if (status === 405) expect(answer.fields.get('allow')).toBe('GET')
    await settled()
    expect(connections).not.toHaveBeenCalled()
    expect(server.clients.size).toBe(0)
  })

  test.each([
    ['keep-alive, Upgrade', 'websocket'],
    ['UPGRADE', 'WebSocket'],
    ['upgrade,close', 'other/1, websocket'],
  ])('is not sent for Connection: %s with Upgrade: %s', async (Connection, Upgrade) => {
    const { port } = await runningServer()
    const { peer } = await openAsClient(port, { Connection, Upgrade })
    peer.destroy()
  })

  test("is left to a listener of 'wsClientError'", async () => {
    const { port, server } = await runningServer()
    server.on('wsClientError', (error, socket, request) => {
      expect(error).toBeInstanceOf(HandshakeError)
      expect(request.url).toBe('/path')
      socket.end(`HTTP/1.1 418 Teapot\r\n\r\n${error.message}`)
    })
    const text = handshakeText({ 'Sec-WebSocket-Key': 'x' }, 'GET /path HTTP/1.1')
    expect(await exchange(port, text)).toMatchObject({
      status: 418,
      body: expect.stringMatching(/^The Sec-WebSocket-Key header must be 16 /) as string,
    })
  })

  test('arrives completely even if the client keeps sending', async () => {
    const { port } = await runningServer()
    const text = Buffer.concat([
      Buffer.from(handshakeText({ 'Sec-WebSocket-Key': 'x' })),
      Buffer.alloc(30_000),
    ])
    expect(await exchange(port, text)).toMatchObject({
      status: 400,
      body: expect.stringContaining('Key') as string,
    })
  })
})

describe('the response to a handshake', () => {
  test("contains what a listener of 'headers' adds", async () => {
    const { port, server } = await runningServer()
    server.on('headers', (headers, request) => {
      expect(headers[0]).toBe('HTTP/1.1 101 Switching Protocols')
      headers.push(`Set-Cookie: path=${request.url ?? ''}`)
    })
    const { peer, response } = await openAsClient(port, {}, '/cookie')
    expect(response.fields.get('set-cookie')).toBe('path=/cookie')
    peer.destroy()
  })

  test("is a 500 with an 'error' if a header line contains a line break", async () => {
    const { port, server } = await runningServer()
    const errors: Error[] = []
    server.on('error', (error) => errors.push(error))
    server.on('headers', (headers) => {
      headers.push('Set-Cookie: a\r\nInjected: yes')
    })
    const answer = await exchange(port, handshakeText())
    expect(answer.status).toBe(500)
    expect(answer.body).toBe('The server failed to answer the handshake\n')
    expect(errors[0]).toBeInstanceOf(TypeError)
  })

  test.each([
    ['nothing offered', undefined, undefined, undefined],
    ['the first of those offered', 'b, a', undefined, 'b'],
    ['the one that handleProtocols returns', 'b, a', () => 'a', 'a'],
    ['none if handleProtocols returns false', 'b, a', () => false as const, undefined],
  ])('contains the subprotocol: %s', async (_name, offered, handleProtocols, chosen) => {
    const { port, next } = await runningServer(handleProtocols === undefined ? {} : { handleProtocols })
    const fields: Record<string, string> = offered === undefined ? {} : { 'Sec-WebSocket-Protocol': offered }
    const [{ peer, response }, { socket }] = await Promise.all([openAsClient(port, fields), next()])
    expect(response.fields.get('sec-websocket-protocol')).toBe(chosen)
    expect(socket.protocol).toBe(chosen ?? '')
    peer.destroy()
  })

  test('depends on handleProtocols, which is called with the offer in order and the request', async () => {
    const handleProtocols = vi.fn((protocols: Set<string>, request: IncomingMessage) => {
      expect([...protocols]).toEqual(['b', 'a', 'constructor', '__proto__'])
      expect(request.url).toBe('/x')
      return 'constructor'
    })
    const { port } = await runningServer({ handleProtocols })
    const { peer, response } = await openAsClient(
      port,
      { 'Sec-WebSocket-Protocol': 'b, a, constructor, __proto__' },
      '/x',
    )
    expect(handleProtocols).toHaveBeenCalledTimes(1)
    expect(response.fields.get('sec-websocket-protocol')).toBe('constructor')
    peer.destroy()
  })

  test.each([
    ['returns one that was not offered', () => 'other', /must return one of the offered.*returned "other"/],
    [
      'throws',
      () => {
        throw new Error('broken')
      },
      /broken/,
    ],
  ])("is a 500 with an 'error' if handleProtocols %s", async (_name, handleProtocols, message) => {
    const { port, server } = await runningServer({ handleProtocols })
    const reported = once(server, 'error') as Promise<[Error]>
    const answer = await exchange(port, handshakeText({ 'Sec-WebSocket-Protocol': 'a' }))
    expect(answer.status).toBe(500)
    expect((await reported)[0].message).toMatch(message)
  })

  test("is a 500 with a process warning if 'error' has no listener", async () => {
    const { port } = await runningServer({
      handleProtocols: () => {
        throw 'not even an Error' as unknown as Error
      },
    })
    const warned = warningWith('not even an Error')
    expect((await exchange(port, handshakeText({ 'Sec-WebSocket-Protocol': 'a' }))).status).toBe(500)
    expect((await warned).message).toBe('A handler failed: not even an Error')
    const { peer } = await openAsClient(port)
    peer.destroy()
  })

  test('accepts permessage-deflate if both ends enable it', async () => {
    const { port, next } = await runningServer({ perMessageDeflate: true })
    const offer = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' }
    const [{ peer, response }, { socket }] = await Promise.all([openAsClient(port, offer), next()])
    expect(response.fields.get('sec-websocket-extensions')).toBe(
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    )
    expect(socket.extensions).toBe('permessage-deflate')
    peer.destroy()
    const [plain, { socket: other }] = await Promise.all([openAsClient(port), next()])
    expect(plain.response.fields.has('sec-websocket-extensions')).toBe(false)
    expect(other.extensions).toBe('')
    plain.peer.destroy()
  })
})

describe('the sockets of a server', () => {
  test('are of the class in the option WebSocket', async () => {
    class Mine extends WebSocket<undefined> {
      greet(): void {
        this.send('greetings')
      }
    }
    const { url, server } = await runningServer({ WebSocket: Mine })
    server.on('connection', (socket) => {
      if (socket instanceof Mine) socket.greet()
    })
    const client = new WebSocket(url)
    expect(await once(client, 'message')).toEqual(['greetings', false])
  })

  test('are in clients until they close', async () => {
    const { running, client, socket } = await openPair()
    expect([...running.server.clients]).toEqual([socket])
    const closed = closeOf(socket)
    client.close()
    await closed
    expect(running.server.clients.size).toBe(0)
  })

  test('are not in clients with clientTracking: false, but close() waits for them', async () => {
    const { running, client, socket } = await openPair({ server: { clientTracking: false } })
    expect(running.server.clients).toBeUndefined()
    running.server.close()
    await settled()
    client.close()
    await once(running.server, 'close')
    expect(socket.readyState).toBe(WebSocket.CLOSED)
  })

  test('have the properties of their peer and its request', async () => {
    const { socket, client } = await openPair()
    expect(socket.remoteAddress).toBe('127.0.0.1')
    expect(client.remoteAddress).toBe('127.0.0.1')
    expect(socket.url).toBe('')
    expect(socket.params).toEqual({})
    expect(socket.user).toBeUndefined()
    expect([socket.CONNECTING, socket.OPEN, socket.CLOSING, socket.CLOSED]).toEqual([0, 1, 2, 3])
  })
})

describe('close()', () => {
  test('accepts no more connections, and calls back when all open ones have closed', async () => {
    const { running, client, socket } = await openPair()
    const { server, url } = running
    const done = vi.fn()
    server.close(done)
    server.close(done)
    await expect(connect(url)).rejects.toThrow('ECONNREFUSED')
    client.send('still here')
    expect(await once(socket, 'message')).toEqual(['still here', false])
    expect(done).not.toHaveBeenCalled()
    client.close()
    await once(server, 'close')
    expect(done.mock.calls).toEqual([[], []])
    expect(await new Promise((resolve) => server.close(resolve))).toEqual(
      new Error('The server is already closed'),
    )
    server.close()
  })

  test('calls back when the last connection has closed that the program has removed from clients', async () => {
    const { http, port } = await startHttp()
    const server = new WebSocketServer({ server: http })
    const client = new WebSocket(`ws://127.0.0.1:${port}`)
    const [socket] = (await once(server, 'connection')) as [WebSocket<undefined>]
    const done = vi.fn()
    server.close(done)
    await settled()
    server.clients.delete(socket)
    const closed = closeOf(client)
    socket.terminate()
    await closed
    await settled()
    expect(done.mock.calls).toEqual([[]])
    expect(server.stats().terminated).toEqual({ none: 1 })
  })

  test('closes a server without connections', async () => {
    const { server } = await runningServer()
    server.close()
    await once(server, 'close')
  })

  test('closes a server with noServer', async () => {
    const server = new WebSocketServer({ noServer: true })
    server.close()
    await once(server, 'close')
  })

  test('leaves a shared http.Server open', async () => {
    const { http, port } = await startHttp((_request, response) => response.end('page'))
    const server = new WebSocketServer({ server: http })
    server.close()
    await once(server, 'close')
    const request = httpRequest({ port, host: '127.0.0.1', agent: false }).end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    expect(response.resume().statusCode).toBe(200)
  })
})

test("reports an async listener that rejects, and closes its connection with 1011 if it listens to 'connection'", async () => {
  const { server, url } = await runningServer()
  const errors: Error[] = []
  const ofSockets: Error[] = []
  server.on('error', (error) => errors.push(error))
  server.on('headers', rejecting(new Error('in headers')))
  server.on('connection', (socket) => {
    socket.on('error', (error) => ofSockets.push(error))
  })
  server.on('connection', rejecting(new Error('in connection')))
  const client = await connect(url)
  expect(await closeOf(client)).toMatchObject({ code: 1011, wasClean: true })
  expect(errors.map((error) => error.message).sort()).toEqual(['in connection', 'in headers'])
  expect(ofSockets.map((error) => error.message)).toEqual(['in connection'])
})
