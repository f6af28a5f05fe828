import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import {
  connect,
  HandshakeError,
  type PerMessageDeflateOptions,
  WebSocket,
  type WebSocketOptions,
} from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { settled } from '../support/event-loop.js'
import { failedAttempt } from '../support/failed-attempt.js'
import type { HttpHead } from '../support/http-exchange.js'
import { acceptance, scriptedServer } from '../support/scripted-server.js'
import { frameBytes, opcode } from '../support/raw-frame.js'
import { noise } from '../support/sample-messages.js'
import { uncaught } from '../support/uncaught.js'
import { DeflatingPeer } from '../support/zlib-peer.js'

type Answer = (request: HttpHead, socket: Socket) => unknown

const EXPECTED_HEADERS =
  "headers must be an object such as { Authorization: 'Bearer ...' }; for a list of names and values, a Map or " +
  'Headers use Object.fromEntries()'

const accept: Answer = (request, socket) => socket.write(acceptance(request))

describe('the request', () => {
  test('has the header fields of RFC 6455 section 4.1', async () => {
    const { url, port, requests } = await scriptedServer(accept)
    await connect(`${url}/chat?x=1`)
    await connect(url)
    const [first, second] = requests
    expect(first?.line).toBe('GET /chat?x=1 HTTP/1.1')
    expect(second?.line).toBe('GET / HTTP/1.1')
    const fields = new Map(first?.fields)
    const key = fields.get('sec-websocket-key') ?? ''
    expect(Buffer.from(key, 'base64')).toHaveLength(16)
    expect(second?.fields.get('sec-websocket-key')).not.toBe(key)
    fields.delete('sec-websocket-key')
    expect(Object.fromEntries(fields)).toEqual({
      host: `127.0.0.1:${port}`,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
    })
  })

  test('includes subprotocols, compression, the origin and the given headers', async () => {
    const { url, requests } = await scriptedServer((request, socket) =>
      socket.write(acceptance(request, { 'Sec-WebSocket-Protocol': 'a' })),
    )
    await connect(url, ['b', 'a'], {
      origin: 'https://page.example',
      perMessageDeflate: true,
      headers: { 'X-Mark': 'm', 'X-Nothing': undefined, Host: 'other.example', Upgrade: 'h2c' },
    })
    const fields = requests[0]?.fields
    expect(fields?.get('sec-websocket-protocol')).toBe('b, a')
    expect(fields?.get('sec-websocket-extensions')).toMatch(/^permessage-deflate/)
    expect(fields?.get('origin')).toBe('https://page.example')
    expect(fields?.get('x-mark')).toBe('m')
    expect(fields?.has('x-nothing')).toBe(false)
    expect(fields?.get('host')).toBe('other.example')
    expect(fields?.get('upgrade')).toBe('websocket')
  })

  test.each([
    ['ada:p%40ss', 'ada:p@ss'],
    ['ada', 'ada:'],
    [':pass', ':pass'],
    ['%ff:100%', '%ff:100%'],
  ])('takes credentials from a URL with %s@', async (credentials, expected) => {
    const { url, requests } = await scriptedServer(accept)
    await connect(url.replace('//', `//${credentials}@`), { auth: 'other:one' })
    const [scheme, value = ''] = (requests[0]?.fields.get('authorization') ?? '').split(' ')
    expect([scheme, Buffer.from(value, 'base64').toString()]).toEqual(['Basic', expected])
  })

  test('takes credentials from the option auth', async () => {
    const { url, requests } = await scriptedServer(accept)
    await connect(url, { auth: 'ada:pass' })
    expect(requests[0]?.fields.get('authorization')).toBe('Basic YWRhOnBhc3M=')
  })

  test('refuses headers that are not names and values (F33)', () => {
    const connectWith = (options: unknown): WebSocket => new WebSocket('ws://127.0.0.1:1', options as never)
    for (const headers of [['Authorization', 'Bearer token'], new Map(), new Headers(), 'a: b', 1]) {
      expect(() => connectWith({ headers })).toThrow(new TypeError(EXPECTED_HEADERS))
    }
    // @ts-expect-error a list would be sent as `0: Authorization`
    const options: WebSocketOptions = { headers: ['Authorization', 'Bearer token'] }
    expect(() => connectWith(options)).toThrow(TypeError)
  })

  test('throws for a header with a line break, without leaving a timer', () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    expect(() => new WebSocket('ws://127.0.0.1:1', { headers: { 'X-A': 'a\r\nb' } })).toThrow(TypeError)
    expect(timers()).toBe(before)
  })
})

describe('the answer', () => {
  test("emits 'upgrade' before 'open', and lets its listener abort the attempt", async () => {
    const { url } = await scriptedServer((request, socket) =>
      socket.write(acceptance(request, { 'Set-Cookie': 'a=b' })),
    )
    const client = new WebSocket(url)
    const opened = once(client, 'open')
    const [response] = (await once(client, 'upgrade')) as [IncomingMessage]
    expect(response.headers['set-cookie']).toEqual(['a=b'])
    await opened
    const refusing = new WebSocket(url)
    refusing.on('upgrade', () => {
      refusing.terminate()
    })
    expect((await failedAttempt(refusing)).message).toMatch('closed before the connection was established')
  })

  test('delivers frames that follow in the same packet', async () => {
    const { url } = await scriptedServer((request, socket) => {
      const frame = { opcode: opcode.text, payload: Buffer.from('at once'), fin: true, rsv: 0 }
      socket.write(Buffer.concat([Buffer.from(acceptance(request)), frameBytes(frame)]))
    })
    const client = new WebSocket(url)
    expect(await once(client, 'message')).toEqual(['at once', false])
  })

  test.each<[string, Record<string, string | undefined>, string]>([
    ['no Upgrade', { Upgrade: undefined }, 'Invalid Upgrade header: the server did not name websocket'],
    ['another Upgrade', { Upgrade: 'h2c' }, 'Invalid Upgrade header: the server did not name websocket'],
    [
      'no Connection',
      { Connection: undefined },
      'Invalid Connection header: the server did not name Upgrade',
    ],
    [
      'another Connection',
      { Connection: 'close' },
      'Invalid Connection header: the server did not name Upgrade',
    ],
    [
      'no Accept',
      { 'Sec-WebSocket-Accept': undefined },
      'Invalid Sec-WebSocket-Accept header: it does not match the key',
    ],
    [
      'another Accept',
      { 'Sec-WebSocket-Accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' },
      'Invalid Sec-WebSocket-Accept header: it does not match the key',
    ],
    [
      'another subprotocol',
      { 'Sec-WebSocket-Protocol': 'c' },
      'Server sent an invalid subprotocol: it was not offered',
    ],
    [
      'no subprotocol',
      { 'Sec-WebSocket-Protocol': undefined },
      'Server sent no subprotocol, though some were offered',
    ],
    [
      'an extension',
      { 'Sec-WebSocket-Extensions': 'permessage-deflate' },
      'Invalid Sec-WebSocket-Extensions header: the server accepted one, but none was offered',
    ],
    [
      'a malformed extension',
      { 'Sec-WebSocket-Extensions': 'a; =' },
      'Invalid Sec-WebSocket-Extensions header: ',
    ],
  ])('is refused with %s, and the error names it', async (_name, fields, message) => {
    const { url } = await scriptedServer((request, socket) =>
      socket.write(acceptance(request, { 'Sec-WebSocket-Protocol': 'a', ...fields })),
    )
    const cause = await failedAttempt(new WebSocket(url, ['a', 'b']))
    expect(cause).toBeInstanceOf(HandshakeError)
    expect(cause).toMatchObject({ status: 101, code: 'WS_ERR_INVALID_HANDSHAKE_RESPONSE' })
    expect(cause.message.slice(0, message.length)).toBe(message)
  })

  test('is refused with a subprotocol if none was offered', async () => {
    const { url } = await scriptedServer((request, socket) =>
      socket.write(acceptance(request, { 'Sec-WebSocket-Protocol': 'a' })),
    )
    expect((await failedAttempt(new WebSocket(url))).message).toBe(
      'Server sent a subprotocol but none was requested',
    )
  })

  test.each([
    ['another extension', 'other'],
    ['two', 'permessage-deflate, permessage-deflate'],
    ['a parameter of ours', 'permessage-deflate; unknown'],
    ['a window that is none', 'permessage-deflate; server_max_window_bits=7'],
  ])('is refused with %s if permessage-deflate was offered', async (_name, extensions) => {
    const { url } = await scriptedServer((request, socket) =>
      socket.write(acceptance(request, { 'Sec-WebSocket-Extensions': extensions })),
    )
    const cause = await failedAttempt(new WebSocket(url, { perMessageDeflate: true }))
    expect(cause.message).toMatch(/^Invalid Sec-WebSocket-Extensions header: ./)
  })

  test('turns on permessage-deflate if it was offered', async () => {
    const { url } = await scriptedServer((request, socket) =>
      socket.write(
        acceptance(request, { 'Sec-WebSocket-Extensions': 'permessage-deflate; server_no_context_takeover' }),
      ),
    )
    expect((await connect(url, { perMessageDeflate: true })).extensions).toBe('permessage-deflate')
  })

  test.each([200, 401, 403, 404, 426, 500, 503])(
    'is an unexpected response with status %i',
    async (status) => {
      const { url } = await scriptedServer((_request, socket) => {
        socket.write(`HTTP/1.1 ${status} Words\r\nContent-Length: 4\r\n\r\nbody`)
      })
      const cause = await failedAttempt(new WebSocket(url))
      expect(cause).toBeInstanceOf(HandshakeError)
      expect(cause).toMatchObject({
        message: `${status < 400 ? 'Unexpected server response: ' : ''}${status} Words: body`,
        code: 'WS_ERR_HANDSHAKE_REFUSED',
        status,
        headers: { 'content-length': '4' },
      })
      await expect(connect(url)).rejects.toThrow(`${status} Words: body`)
    },
  )

  test.each([
    ['garbage', '\x81\x05hello\r\n\r\n', 'HPE_INVALID_CONSTANT'],
    ['nothing', '', 'ECONNRESET'],
    ['half a header', 'HTTP/1.1 101 Swi', 'ECONNRESET'],
  ])('makes the attempt fail if it is %s', async (_name, text, code) => {
    const { url } = await scriptedServer((_request, socket) => socket.end(text))
    expect((await failedAttempt(new WebSocket(url))).code).toBe(code)
  })
})

/** Collects the events of a client from now on until its attempt is over. */
async function eventsOf(client: WebSocket): Promise<unknown[][]> {
  const events: unknown[][] = []
  client.on('error', (error) => events.push(['error', error]))
  await new Promise<void>((resolve) => {
    client.on('close', (code, reason, details) => {
      events.push(['close', code, reason, details.cause?.message])
      resolve()
    })
  })
  await settled()
  return events
}

// Section W of the findings.
describe("'unexpected-response'", () => {
  const NO: Answer = (_request, socket) => socket.write('HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\nwhy?')
  const REFUSED = [['close', 1006, '', '401 No']]
  const GIVEN_UP = [['close', 1006, '', 'WebSocket was closed before the connection was established']]

  test("is followed by 'close' alone, once its listener has read the answer", async () => {
    const { url } = await scriptedServer(NO)
    const client = new WebSocket(url, { handshakeTimeout: 60_000 })
    const bodies: string[] = []
    client.on('unexpected-response', (_request: ClientRequest, response: IncomingMessage) => {
      response.on('data', (chunk: Buffer) => bodies.push(chunk.toString()))
    })
    expect(await eventsOf(client)).toEqual(REFUSED)
    expect(bodies).toEqual(['why?'])
  })

  test.each<[string, (client: WebSocket, request: ClientRequest) => unknown, unknown[][]]>([
    ['destroys the request', (_client, request) => request.destroy(), REFUSED],
    ['closes the socket', (client) => client.close(), GIVEN_UP],
    ['terminates the socket', (client) => client.terminate(), GIVEN_UP],
  ])("is followed by 'close' alone if its listener %s", async (_name, listener, events) => {
    const { url } = await scriptedServer(NO)
    const client = new WebSocket(url)
    client.on('unexpected-response', (request) => {
      listener(client, request)
    })
    expect(await eventsOf(client)).toEqual(events)
  })

  test("is followed by 'error' if its listener throws", async () => {
    const { url } = await scriptedServer(NO)
    const client = new WebSocket(url)
    client.on('unexpected-response', () => {
      throw new Error('the listener fails')
    })
    expect((await failedAttempt(client)).message).toBe('the listener fails')
  })
})

describe('a server that ignores part of the compression offer (F35, F50)', () => {
  test.each<[string, string, PerMessageDeflateOptions]>([
    ['server_no_context_takeover', 'permessage-deflate', {}],
    ['server_max_window_bits', 'permessage-deflate; server_no_context_takeover', { serverMaxWindowBits: 9 }],
    ['both', 'permessage-deflate; server_max_window_bits=15', { serverMaxWindowBits: 9 }],
  ])('is accepted: %s', async (_name, extensions, perMessageDeflate) => {
    const { url } = await scriptedServer((request, socket) => {
      socket.write(acceptance(request, { 'Sec-WebSocket-Extensions': extensions }))
      void sendCompressed(socket, extensions.includes('no_context_takeover'))
    })
    const client = new WebSocket(url, { perMessageDeflate })
    const received: unknown[] = []
    client.on('message', (data) => received.push(data))
    await once(client, 'open')
    while (received.length < 3) await once(client, 'message')
    expect(received.map((data) => TEXT === data)).toEqual([true, true, true])
    client.terminate()
  })

  /** Text that refers to itself over a distance of 20 KiB. */
  const TEXT = noise(10 * 1024)
    .toString('hex')
    .repeat(2)

  async function sendCompressed(socket: Socket, isAlone: boolean): Promise<void> {
    let peer = new DeflatingPeer(15)
    for (let count = 0; count < 3; count++) {
      if (isAlone) peer = new DeflatingPeer(15)
      const payload = await peer.compress(Buffer.from(TEXT))
      socket.write(frameBytes({ opcode: opcode.text, payload, rsv: 4 }))
    }
  }

  test('is offered client_max_window_bits without a value for `true`', async () => {
    const { url, requests } = await scriptedServer(accept)
    await connect(url, { perMessageDeflate: { clientMaxWindowBits: true } })
    expect(requests[0]?.fields.get('sec-websocket-extensions')).toMatch(/; client_max_window_bits$/)
  })
})

test('uses the defaults for options that are null', async () => {
  const { url, requests } = await scriptedServer(accept)
  const nothing = {
    handshakeTimeout: null,
    headers: null,
    maxRedirects: null,
    origin: null,
    perMessageDeflate: null,
    signal: null,
    generateMask: null,
    auth: null,
  } as unknown as WebSocketOptions
  const client = await connect(url, nothing)
  expect(requests[0]?.fields.has('sec-websocket-extensions')).toBe(false)
  expect(requests[0]?.fields.has('origin')).toBe(false)
  client.terminate()
})

test("reports a failure in 'close' alone if 'error' has no listener", async () => {
  const lost = uncaught()
  const { url } = await scriptedServer((_request, socket) => socket.end('HTTP/1.1 500 No\r\n\r\n'))
  const client = new WebSocket(url)
  const closes = vi.fn()
  client.on('close', closes)
  await new Promise((resolve) => {
    client.on('close', resolve)
  })
  await settled()
  expect(closes).toHaveBeenCalledTimes(1)
  expect(lost).toEqual([])
})
