import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import WebSocket, { createWebSocketStream, WebSocketServer } from 'hubwire/ws'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { turn, until } from '../support/event-loop.js'
import { startHttp } from '../support/http-server.js'
import { socketPair } from '../support/socket-pair.js'
import { watchTimers } from '../support/timers.js'
import { uncaught } from '../support/uncaught.js'
import { listen, open } from './open.js'

/** What `'close'` has; `once` of node:events would be a listener of `'error'` as well. */
const closed = (socket: WebSocket): Promise<unknown[]> =>
  new Promise((resolve) => {
    socket.on('close', (...values) => {
      resolve(values)
    })
  })

/** The status line, and the header, of what a server answers to bytes. */
async function answerTo(url: string, lines: string[]): Promise<string> {
  const { port, hostname } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  let text = ''
  socket.setEncoding('latin1')
  for await (const chunk of socket as AsyncIterable<string>) {
    text += chunk
    if (text.includes('\r\n\r\n')) break
  }
  return text
}

const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']

describe('messages', () => {
  test('arrive as Buffers, also text, and as strings for listeners of addEventListener', async () => {
    const { client, accepted } = await open()
    const event = new Promise<unknown>((resolve) => {
      accepted.onmessage = ({ data }) => {
        resolve(data)
      }
    })
    const message = once(accepted, 'message')
    client.send('é')
    expect(await message).toEqual([Buffer.from('é'), false])
    expect(await event).toBe('é')
  })

  test.each([
    ['nodebuffer', Buffer.from([1, 2])],
    ['arraybuffer', new Uint8Array([1, 2]).buffer],
    ['fragments', [Buffer.from([1, 2])]],
  ] as const)('of bytes arrive as binaryType %s says', async (type, expected) => {
    const { client, accepted } = await open()
    accepted.binaryType = type
    const message = once(accepted, 'message')
    client.send(Buffer.from([1, 2]))
    expect(await message).toEqual([expected, true])
  })

  test('of bytes arrive as a Blob if that is the binaryType', async () => {
    const { client, accepted } = await open()
    Object.assign(accepted, { binaryType: 'blob' })
    const message = once(accepted, 'message') as Promise<[Blob, boolean]>
    client.send([1, 2])
    const [blob] = await message
    expect(Buffer.from(await blob.arrayBuffer())).toEqual(Buffer.from([1, 2]))
  })

  test('keep their form when binaryType is set to an unknown value', async () => {
    const { client } = await open()
    Object.assign(client, { binaryType: 'foo' })
    expect(client.binaryType).toBe('nodebuffer')
  })

  test('can be null, undefined, numbers and arrays of bytes', async () => {
    const { client, accepted } = await open()
    const received: unknown[] = []
    accepted.on('message', (data, isBinary) => received.push([String(data as Buffer), isBinary]))
    for (const data of [null, undefined, 12, [104, 105], new Uint8Array([106]), new Blob(['blob'])]) {
      client.send(data as unknown as string)
    }
    client.close()
    await closed(accepted)
    expect(received).toEqual([
      ['', true],
      ['', true],
      ['12', false],
      ['hi', true],
      ['j', true],
      ['blob', true],
    ])
  })

  test('stop when a socket pauses, and its TCP socket is not read until it resumes', async () => {
    const { client, accepted } = await open()
    const { _socket: below } = accepted as unknown as { _socket: Socket }
    const received: string[] = []
    accepted.on('message', (data) => received.push(String(data as Buffer)))
    accepted.pause()
    expect([accepted.isPaused, below.isPaused()]).toEqual([true, true])
    client.send('held')
    client.ping()
    const pong = vi.fn()
    client.on('pong', pong)
    await until(() => client.bufferedAmount === 0)
    expect([received, pong.mock.calls]).toEqual([[], []])
    accepted.resume()
    expect([accepted.isPaused, below.isPaused()]).toEqual([false, false])
    await once(client, 'pong')
    expect(received).toEqual(['held'])
  })

  test('arrive one in each turn of the event loop with allowSynchronousEvents: false', async () => {
    const { client, accepted } = await open({ allowSynchronousEvents: false })
    const turns: number[] = []
    let turn = 0
    const count = (): void => {
      turn++
      if (turns.length < 3) setImmediate(count)
    }
    setImmediate(count)
    accepted.on('message', () => turns.push(turn))
    for (const text of ['one', 'two', 'three']) client.send(text)
    await until(() => turns.length === 3)
    expect(new Set(turns).size).toBe(3)
  })

  test.each([
    ['a number', 12, '12', false],
    ['bytes', Buffer.from('bytes'), 'bytes', true],
    ['text as bytes', 'text', 'text', true],
  ])('of a server can leave with the option mask: false: %s', async (_name, data, text, isBinary) => {
    const { client, accepted } = await open()
    const message = once(client, 'message')
    accepted.send(data, { mask: false, ...(text === 'text' ? { binary: true } : {}) })
    expect(await message).toEqual([Buffer.from(text), isBinary])
  })

  test('that arrive before there is a listener are dropped', async () => {
    const { server, url } = await listen()
    const received: string[] = []
    server.on('connection', async (socket) => {
      await once(socket, 'ping')
      socket.on('message', (data) => received.push(String(data as Buffer)))
    })
    const client = new WebSocket(url)
    await once(client, 'open')
    client.send('early')
    client.ping()
    await once(client, 'pong')
    await turn()
    client.send('late')
    client.close()
    await closed(client)
    expect(received).toEqual(['late'])
  })

  test('of a client can be sent without a mask, which a server refuses', async () => {
    const { client, accepted } = await open()
    const error = once(accepted, 'error') as Promise<[NodeJS.ErrnoException]>
    const end = closed(client)
    client.send('plain', { mask: false })
    expect((await error)[0].code).toBe('WS_ERR_EXPECTED_MASK')
    expect((await end).slice(0, 2)).toEqual([1002, Buffer.alloc(0)])
  })

  test.each([1, 5000, 100_000])('of %d bytes that are sent before terminate() arrive', async (length) => {
    const { client, accepted } = await open()
    const received: unknown[] = []
    accepted.on('message', (data) => received.push(data))
    const ended = closed(accepted)
    const taken = new Promise<unknown>((resolve) => {
      client.send(Buffer.alloc(length), resolve)
    })
    client.send('last')
    client.terminate()
    expect((await ended)[0]).toBe(1006)
    expect(received).toEqual([Buffer.alloc(length), Buffer.from('last')])
    expect(await taken).toBeFalsy()
  })

  test('that are no longer sent count in bufferedAmount', async () => {
    const { client } = await open()
    client.close()
    const callback = vi.fn()
    client.send('four', callback)
    client.ping('two')
    client.pong(new Blob(['three']))
    expect(client.bufferedAmount).toBe(12)
    await closed(client)
    expect(callback).toHaveBeenCalledExactlyOnceWith(expect.any(Error))
  })
})

describe('Pings', () => {
  test('are answered through pong()', async () => {
    const { client, accepted } = await open()
    const pong = vi.spyOn(accepted, 'pong')
    client.ping('hi')
    expect(await once(client, 'pong')).toEqual([Buffer.from('hi')])
    expect(pong).toHaveBeenCalledTimes(1)
    expect(pong.mock.calls[0]![0]).toEqual(Buffer.from('hi'))
  })

  test('are not answered with autoPong: false', async () => {
    const { client, accepted } = await open({ autoPong: false })
    const pong = vi.spyOn(accepted, 'pong')
    client.ping()
    await once(accepted, 'ping')
    expect(pong).not.toHaveBeenCalled()
  })

  test('can carry a number or a Blob', async () => {
    const { client, accepted } = await open()
    const received: unknown[] = []
    accepted.on('ping', (data) => received.push(String(data)))
    client.ping(12)
    client.ping(new Blob(['blob']))
    client.ping(() => undefined)
    await until(() => received.length === 3)
    expect(received.toSorted()).toEqual(['', '12', 'blob'])
  })
})

describe('the end of a connection', () => {
  test('has a Buffer as its reason, and a string for listeners of addEventListener', async () => {
    const { client, accepted } = await open()
    const event = new Promise<unknown>((resolve) => {
      accepted.addEventListener('close', ({ type, code, reason, wasClean, target }) => {
        resolve({ type, code, reason, wasClean, isMine: target === accepted })
      })
    })
    const close = closed(accepted)
    client.close(4000, 'bye')
    expect((await close).slice(0, 2)).toEqual([4000, Buffer.from('bye')])
    expect(await event).toEqual({ type: 'close', code: 4000, reason: 'bye', wasClean: true, isMine: true })
  })

  test('ignores a reason without a code', async () => {
    const { client, accepted } = await open()
    client.close(undefined, 'ignored')
    expect((await closed(accepted)).slice(0, 2)).toEqual([1005, Buffer.alloc(0)])
  })

  test('is no error when the peer resets', async () => {
    const { client, accepted } = await open()
    const error = vi.fn()
    accepted.on('error', error)
    ;(client as unknown as { _socket: { resetAndDestroy(): void } })._socket.resetAndDestroy()
    expect((await closed(accepted))[0]).toBe(1006)
    expect(error).not.toHaveBeenCalled()
  })

  test('is an error if the peer violates the protocol; without a listener, an uncaught one', async () => {
    const errors = uncaught()
    const { client, accepted } = await open()
    ;(client as unknown as { _socket: Duplex })._socket.write(Buffer.from([0x85, 0x80, 0, 0, 0, 0]))
    expect((await closed(accepted))[0]).toBe(1006)
    expect(errors).toMatchObject([{ code: 'WS_ERR_INVALID_OPCODE' }])
    expect(errors[0]).toBeInstanceOf(RangeError)
  })

  test.each([
    ['text that is not UTF-8', [0x81, 0x81, 0, 0, 0, 0, 0xff], Error, 'WS_ERR_INVALID_UTF8', 1007],
    ['what cannot be inflated', [0xc1, 0x81, 0, 0, 0, 0, 0xff], Error, 'Z_DATA_ERROR', 1007],
    ['a reserved bit', [0xb1, 0x80, 0, 0, 0, 0], RangeError, 'WS_ERR_UNEXPECTED_RSV_2_3', 1002],
  ])('is an error of the class and code of ws for %s', async (_name, bytes, ErrorClass, code, closeCode) => {
    const { client, accepted } = await open({ perMessageDeflate: true })
    const error = once(accepted, 'error') as Promise<[Error & { code: string }]>
    ;(client as unknown as { _socket: Duplex })._socket.write(Buffer.from(bytes))
    const [failure] = await error
    expect(failure.constructor).toBe(ErrorClass)
    expect(failure.code).toBe(code)
    expect((await closed(client)).slice(0, 2)).toEqual([closeCode, Buffer.alloc(0)])
  })

  test('leaves what a listener throws or rejects with to the process', async () => {
    const errors = uncaught()
    const { client, accepted } = await open()
    accepted.on('message', (data) => {
      throw new Error(`thrown at ${(data as Buffer).toString()}`)
    })
    accepted.on('pong', () => Promise.reject(new Error('rejected')))
    client.send('this')
    client.pong()
    client.send('that', () => {
      throw new Error('of a callback')
    })
    await until(() => errors.length === 4)
    expect(errors.map((error) => (error as Error).message).toSorted()).toEqual([
      'of a callback',
      'rejected',
      'thrown at that',
      'thrown at this',
    ])
    expect(accepted.readyState).toBe(WebSocket.OPEN)
  })
})

describe('an attempt to connect', () => {
  test('fails with an error while CLOSING, which is uncaught without a listener', async () => {
    const errors = uncaught()
    const client = new WebSocket('ws://127.0.0.1:1')
    expect((await closed(client)).slice(0, 2)).toEqual([1006, Buffer.alloc(0)])
    expect(errors).toMatchObject([{ code: 'ECONNREFUSED' }])

    const heard = new WebSocket('ws://127.0.0.1:1')
    const states: number[] = []
    heard.on('error', () => states.push(heard.readyState))
    await closed(heard)
    expect([...states, heard.readyState]).toEqual([WebSocket.CLOSING, WebSocket.CLOSED])
  })

  test('emits nothing after a handled unexpected-response until close() is called', async () => {
    const http = createServer((_request, response) => response.writeHead(404).end())
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    onTestFinished(() => void http.close())
    const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`)
    const error = vi.fn()
    client.on('error', error)
    const [, response] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage]
    expect(response.statusCode).toBe(404)
    expect(error).not.toHaveBeenCalled()
    client.close()
    await closed(client)
    expect(error).toHaveBeenCalledTimes(1)
  })

  test('waits for close() after the body of a handled unexpected-response has been read', async () => {
    const { port } = await startHttp((_request, response) => response.writeHead(404).end('no'))
    const client = new WebSocket(`ws://127.0.0.1:${port}`)
    const [, response] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage]
    await once(response.resume(), 'close')
    await turn()
    expect(client.readyState).toBe(WebSocket.CONNECTING)
    const error = once(client, 'error')
    client.terminate()
    expect(await error).toHaveLength(1)
  })

  test.each(['close', 'terminate'] as const)('is given up by %s(), with an error', async (method) => {
    const { url } = await listen()
    const client = new WebSocket(url)
    const error = once(client, 'error')
    const end = closed(client)
    client[method]()
    expect(client.readyState).toBe(WebSocket.CLOSING)
    expect((await error)[0]).toEqual(
      expect.objectContaining({ message: 'WebSocket was closed before the connection was established' }),
    )
    expect((await end)[0]).toBe(1006)
  })

  test('leaves the failure of its own listener to the process', async () => {
    const errors = uncaught()
    const client = new WebSocket('ws://127.0.0.1:1')
    client.on('error', () => {
      throw new Error('of the listener')
    })
    await closed(client)
    await turn()
    expect(errors).toMatchObject([{ message: 'of the listener' }])
  })

  test('passes its request to finishRequest', async () => {
    const { server, url } = await listen()
    const connection = once(server, 'connection') as Promise<[WebSocket, IncomingMessage]>
    const client = new WebSocket(url, {
      finishRequest(outgoing, socket) {
        expect(socket).toBeInstanceOf(WebSocket)
        outgoing.setHeader('x-late', 'yes')
        outgoing.end()
      },
    })
    const [[, incoming]] = await Promise.all([connection, once(client, 'open')])
    expect(incoming.headers['x-late']).toBe('yes')
    client.terminate()
  })

  test('leaves no timer if finishRequest gives up', async () => {
    const timers = watchTimers(60_000)
    const client = new WebSocket('ws://127.0.0.1:1', {
      handshakeTimeout: 60_000,
      finishRequest(_request, socket) {
        socket.terminate()
      },
    })
    const end = closed(client)
    await once(client, 'error')
    await end
    expect(timers.live.size).toBe(0)
  })

  test('can have protocol version 8, with its own header for the origin', async () => {
    const origins: unknown[] = []
    const { url } = await listen({
      verifyClient: ({ origin }: { origin: string }) => origins.push(origin) > 0,
    })
    const client = new WebSocket(url, { protocolVersion: 8, origin: 'https://a.example' })
    await once(client, 'open')
    expect(origins).toEqual(['https://a.example'])
    client.terminate()
    expect(() => new WebSocket(url, { protocolVersion: 7 })).toThrow(RangeError)
  })

  test('emits the SyntaxError of a redirect to no URL', async () => {
    const http = createServer((_request, response) => response.writeHead(302, { location: 'ws://' }).end())
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    onTestFinished(() => void http.close())
    const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`, {
      followRedirects: true,
    })
    expect((await once(client, 'error'))[0]).toBeInstanceOf(SyntaxError)
  })

  test.each([[null], [[null]], [['a', 'a']]])('throws a SyntaxError for the subprotocols %j', (protocols) => {
    expect(() => new WebSocket('ws://127.0.0.1:1', protocols as string[])).toThrow(SyntaxError)
  })

  test('accepts null as the default of each option', async () => {
    const nothing = {
      perMessageDeflate: null,
      maxPayload: null,
      headers: null,
      handshakeTimeout: null,
      origin: null,
    }
    const { client } = await open(
      { ...nothing, verifyClient: null, path: null, handleProtocols: null } as object,
      {
        ...nothing,
      } as object,
    )
    expect(client.readyState).toBe(WebSocket.OPEN)
  })

  test.each([true, false])('accepts %s for the window bits of permessage-deflate', async (bits) => {
    const perMessageDeflate = { clientMaxWindowBits: bits, serverMaxWindowBits: bits } as object
    const { client, accepted } = await open({ perMessageDeflate }, { perMessageDeflate })
    expect(client.extensions).toBe('permessage-deflate')
    const message = once(accepted, 'message')
    client.send('x'.repeat(5000))
    expect(await message).toEqual([Buffer.alloc(5000, 'x'), false])
  })

  test('does not pause before it is open', () => {
    const client = new WebSocket('ws://127.0.0.1:1')
    client.on('error', () => undefined)
    client.pause()
    expect(client.isPaused).toBe(false)
    client.resume()
  })
})

describe('a server', () => {
  test.each([
    ['HTTP/1.0 without Host', ['GET / HTTP/1.0', ...UPGRADE, 'Sec-WebSocket-Version: 13'], '101'],
    ['version 8', ['GET / HTTP/1.1', 'Host: a', ...UPGRADE, 'Sec-WebSocket-Version: 8'], '101'],
    ['another version', ['GET / HTTP/1.1', 'Host: a', ...UPGRADE, 'Sec-WebSocket-Version: 9'], '400'],
    ['another path', ['GET /foo HTTP/1.1', 'Host: a', ...UPGRADE, 'Sec-WebSocket-Version: 13'], '400'],
    ['another protocol', ['GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: h2c'], '400'],
    ['another method', ['POST / HTTP/1.1', 'Host: a', ...UPGRADE, 'Sec-WebSocket-Version: 13'], '405'],
    [
      'a bad offer of compression',
      [
        'GET / HTTP/1.1',
        'Host: a',
        ...UPGRADE,
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Extensions: permessage-deflate; foo',
      ],
      '400',
    ],
    [
      'another origin',
      ['GET / HTTP/1.1', 'Host: a', 'Origin: https://b', ...UPGRADE, 'Sec-WebSocket-Version: 13'],
      '101',
    ],
  ])('answers %s as ws does', async (_name, lines, status) => {
    const { url } = await listen({ path: '/', perMessageDeflate: true })
    expect(await answerTo(url, lines)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  })

  test('accepts any truthy result of verifyClient, and an immediate callback', async () => {
    const { url } = await listen({ verifyClient: () => 1 as unknown as boolean })
    const client = new WebSocket(url)
    await once(client, 'open')
    client.terminate()
    const { url: other } = await listen({ verifyClient: () => '' as unknown as boolean })
    expect((await once(new WebSocket(other), 'error'))[0]).toMatchObject({
      message: expect.stringContaining('401') as string,
    })
  })

  test.each([
    ['at once', (call: () => void): void => call()],
    ['later', (call: () => void): void => void setImmediate(call)],
  ])('takes any status and header of a verifyClient that calls back %s', async (_name, when) => {
    const { url } = await listen({
      verifyClient: (_info, callback) => {
        when(() => {
          callback(false, 302, 'moved', { Location: 'https://a.example/' })
          callback(true)
        })
      },
    })
    const answer = await answerTo(url, ['GET / HTTP/1.1', 'Host: a', ...UPGRADE, 'Sec-WebSocket-Version: 13'])
    expect(answer).toMatch(/^HTTP\/1.1 302 Found\r\n/)
    expect(answer).toContain('Location: https://a.example/')
    const { url: open } = await listen({
      verifyClient: (_info, callback) => {
        when(() => {
          callback(true)
        })
      },
    })
    const client = new WebSocket(open)
    await once(client, 'open')
    client.terminate()
  })

  test('leaves what its checks and connection listeners throw to the process', async () => {
    const errors = uncaught()
    const { server, url } = await listen({
      handleProtocols: () => {
        throw new Error('of handleProtocols')
      },
    })
    const client = new WebSocket(url, 'chat')
    await once(client, 'error')
    server.on('connection', () => {
      throw new Error('of a listener')
    })
    const plain = new WebSocket(url)
    await once(plain, 'open')
    expect(errors).toMatchObject([{ message: 'of handleProtocols' }, { message: 'of a listener' }])
    plain.terminate()
  })

  test('accepts any subprotocol that handleProtocols chooses', async () => {
    const { url } = await listen({ handleProtocols: () => 'other' })
    const answer = await answerTo(url, [
      'GET / HTTP/1.1',
      'Host: a',
      ...UPGRADE,
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Protocol: chat',
    ])
    expect(answer).toContain('Sec-WebSocket-Protocol: other')
  })

  test('calls shouldHandle of a subclass, which can read the path', async () => {
    class Picky extends WebSocketServer {
      override shouldHandle(incoming: IncomingMessage): boolean {
        return incoming.url === '/yes'
      }
    }
    const server = new Picky({ port: 0, host: '127.0.0.1', path: '/ignored' })
    onTestFinished(() => {
      server.close()
    })
    await once(server, 'listening')
    expect(server.path).toBe('/ignored')
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
    const client = new WebSocket(`${url}/yes`)
    await once(client, 'open')
    client.terminate()
    expect((await once(new WebSocket(`${url}/ignored`), 'error'))[0]).toBeInstanceOf(Error)
  })

  test('creates sockets of the given class', async () => {
    class Mine extends WebSocket {
      readonly mark = 'mine'
    }
    const { accepted } = await open({ WebSocket: Mine })
    expect(accepted).toMatchObject({ mark: 'mine' })
  })

  test('accepts a request that no client sent', async () => {
    const server = new WebSocketServer({ noServer: true })
    const socket = new Duplex({
      read: () => undefined,
      write: (_chunk, _encoding, callback) => {
        callback()
      },
    })
    const headers = {
      upgrade: 'websocket',
      connection: 'upgrade',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
    }
    const accepted = vi.fn()
    server.handleUpgrade(
      { method: 'GET', url: '/', headers, socket } as unknown as IncomingMessage,
      socket,
      Buffer.alloc(0),
      accepted,
    )
    expect(accepted).toHaveBeenCalledTimes(1)
    expect(() => {
      server.handleUpgrade(
        { method: 'GET', url: '/', headers, socket } as unknown as IncomingMessage,
        socket,
        Buffer.alloc(0),
        accepted,
      )
    }).toThrow(/more than once/)
    socket.destroy()
  })

  test('does not wait in close() for connections that it does not track', async () => {
    const { http, port } = await startHttp()
    const server = new WebSocketServer({ server: http, clientTracking: false })
    const connection = once(server, 'connection') as Promise<[WebSocket]>
    const client = new WebSocket(`ws://127.0.0.1:${port}`)
    const [[accepted]] = await Promise.all([connection, once(client, 'open')])
    await new Promise((resolve) => {
      server.close(resolve)
    })
    expect(accepted.readyState).toBe(WebSocket.OPEN)
    const ended = closed(client)
    accepted.close()
    await ended
  })

  test('can be closed twice, and emits close twice', async () => {
    const server = new WebSocketServer({ noServer: true })
    server.close()
    await once(server, 'close')
    const callback = vi.fn()
    server.close(callback)
    await once(server, 'close')
    expect(callback).toHaveBeenCalledExactlyOnceWith(expect.any(Error))
  })

  test('has its own or the given HTTP server until it is closed', async () => {
    const http = createServer()
    const server = new WebSocketServer({ server: http })
    expect(server).toHaveProperty('_server', http)
    expect((await listen()).server).toHaveProperty('_server.listening', true)
    server.close()
    expect(new WebSocketServer({ noServer: true })).toHaveProperty('_server', undefined)
  })

  test('answers plain requests with 426', async () => {
    const { url } = await listen()
    const [response] = (await once(request(url.replace('ws', 'http')).end(), 'response')) as [IncomingMessage]
    response.resume()
    expect(response.statusCode).toBe(426)
  })

  test.each([[{}], [{ port: 0, noServer: true }], [undefined]])(
    'throws a TypeError for the options %j',
    (options) => {
      expect(() => new WebSocketServer(options)).toThrow(TypeError)
    },
  )
})

describe('a stream', () => {
  test('yields text as strings with readableObjectMode, and as bytes without', async () => {
    const { client, accepted } = await open()
    const objects = createWebSocketStream(accepted, { readableObjectMode: true })
    client.send('text')
    client.send(Buffer.from('bytes'))
    client.close()
    const chunks: unknown[] = []
    for await (const chunk of objects) chunks.push(chunk)
    expect(chunks).toEqual(['text', Buffer.from('bytes')])
  })

  test('sends what was written before it was open', async () => {
    const { server, url } = await listen()
    server.on('connection', (socket) => {
      const stream = createWebSocketStream(socket)
      stream.pipe(stream)
    })
    const stream = createWebSocketStream(new WebSocket(url))
    stream.end('early')
    const chunks: Buffer[] = []
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toBe('early')
  })

  test('is destroyed with its socket, and terminates the socket when it is destroyed', async () => {
    const { client, accepted } = await open()
    const stream = createWebSocketStream(accepted)
    ;(client as unknown as { _socket: Duplex })._socket.write(Buffer.from([0x85, 0x80, 0, 0, 0, 0]))
    expect((await once(stream, 'error'))[0]).toMatchObject({ code: 'WS_ERR_INVALID_OPCODE' })

    const other = await open()
    const destroyed = createWebSocketStream(other.accepted)
    destroyed.destroy()
    expect((await once(other.client, 'close'))[0]).toBe(1006)
  })

  test('ends its connection when a write fails, also with autoDestroy and emitClose: false', async () => {
    const { client, accepted } = await open()
    const duplex = createWebSocketStream(client, { autoDestroy: false, emitClose: false })
    const ended = closed(accepted)
    duplex.on('error', () => undefined)
    const close = new Promise((resolve) => duplex.once('close', resolve))
    duplex.end()
    duplex.write('late')
    await Promise.all([close, ended])
    expect(duplex.destroyed).toBe(true)
  })

  test('is destroyed at once if its socket has already closed', async () => {
    const { client, accepted } = await open()
    const stream = createWebSocketStream(accepted)
    client.close()
    await closed(accepted)
    stream.destroy(new Error('of the application'))
    expect((await once(stream, 'error'))[0]).toEqual(new Error('of the application'))
  })

  test('pauses its socket while nobody reads from it', async () => {
    const { client, accepted } = await open()
    const stream = createWebSocketStream(accepted, { readableHighWaterMark: 1 })
    client.send('one')
    client.send('two')
    client.close()
    await until(() => accepted.isPaused)
    const chunks: unknown[] = []
    for await (const chunk of stream) chunks.push(String(chunk))
    expect(chunks).toEqual(['one', 'two'])
  })
})

test('opens over a given stream, for tests without an HTTP server', async () => {
  const { here: left, there: right } = await socketPair()
  const ends = [new WebSocket(null), new WebSocket(null)] as unknown as (WebSocket & Settable)[]
  const [client, server] = ends as [WebSocket & Settable, WebSocket & Settable]
  client._isServer = false
  const opened = once(client, 'open')
  client.setSocket(left, Buffer.alloc(0), { maxPayload: 0 })
  server.setSocket(right, Buffer.alloc(0))
  await opened
  const message = once(server, 'message')
  client.send('hi')
  expect(await message).toEqual([Buffer.from('hi'), false])
  client.terminate()
})

interface Settable {
  _isServer: boolean
  setSocket(socket: Duplex, head: Buffer, options?: object): void
}
