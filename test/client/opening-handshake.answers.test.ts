import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { connect, HandshakeError, WebSocket } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { settled } from '../support/event-loop.js'
import { failedAttempt } from '../support/failed-attempt.js'
import type { HttpHead } from '../support/raw-handshake.js'
import { acceptance, scriptedServer } from '../support/scripted-server.js'
import { encodeFrame, opcode } from '../support/raw-frame.js'
import { uncaught } from '../support/uncaught.js'

type Answer = (request: HttpHead, socket: Socket) => unknown

const accept: Answer = (request, socket) => socket.write(acceptance(request))

describe('the request', () => {
  test('is that of RFC 6455 section 4.1', async () => {
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

  test('offers subprotocols and compression, tells the origin, and has the headers that are given', async () => {
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
  ])('says who is at a URL with %s@', async (credentials, expected) => {
    const { url, requests } = await scriptedServer(accept)
    await connect(url.replace('//', `//${credentials}@`), { auth: 'other:one' })
    const [scheme, value = ''] = (requests[0]?.fields.get('authorization') ?? '').split(' ')
    expect([scheme, Buffer.from(value, 'base64').toString()]).toEqual(['Basic', expected])
  })

  test('says who by the option auth', async () => {
    const { url, requests } = await scriptedServer(accept)
    await connect(url, { auth: 'ada:pass' })
    expect(requests[0]?.fields.get('authorization')).toBe('Basic YWRhOnBhc3M=')
  })

  test('a header that would break out of its line throws, and leaves nothing behind', () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    expect(() => new WebSocket('ws://127.0.0.1:1', { headers: { 'X-A': 'a\r\nb' } })).toThrow(TypeError)
    expect(timers()).toBe(before)
  })
})

describe('the answer', () => {
  test("'upgrade' comes before 'open', and may still refuse", async () => {
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

  test('frames in the same packet are delivered', async () => {
    const { url } = await scriptedServer((request, socket) => {
      const frame = { opcode: opcode.text, payload: Buffer.from('at once'), fin: true, rsv: 0 }
      socket.write(Buffer.concat([Buffer.from(acceptance(request)), encodeFrame(frame, false)]))
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
      'Invalid Sec-WebSocket-Accept header: it does not answer our key',
    ],
    [
      'another Accept',
      { 'Sec-WebSocket-Accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' },
      'Invalid Sec-WebSocket-Accept header: it does not answer our key',
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
  ])('with %s is refused by name', async (_name, fields, message) => {
    const { url } = await scriptedServer((request, socket) =>
      socket.write(acceptance(request, { 'Sec-WebSocket-Protocol': 'a', ...fields })),
    )
    const cause = await failedAttempt(new WebSocket(url, ['a', 'b']))
    expect(cause).toBeInstanceOf(HandshakeError)
    expect(cause.status).toBe(101)
    expect(cause.message.slice(0, message.length)).toBe(message)
  })

  test('with a subprotocol though none was offered is refused', async () => {
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
  ])('with %s where permessage-deflate was offered is refused', async (_name, extensions) => {
    const { url } = await scriptedServer((request, socket) =>
      socket.write(acceptance(request, { 'Sec-WebSocket-Extensions': extensions })),
    )
    const cause = await failedAttempt(new WebSocket(url, { perMessageDeflate: true }))
    expect(cause.message).toMatch(/^Invalid Sec-WebSocket-Extensions header: ./)
  })

  test('with permessage-deflate where it was offered turns it on', async () => {
    const { url } = await scriptedServer((request, socket) =>
      socket.write(
        acceptance(request, { 'Sec-WebSocket-Extensions': 'permessage-deflate; server_no_context_takeover' }),
      ),
    )
    expect((await connect(url, { perMessageDeflate: true })).extensions).toBe('permessage-deflate')
  })

  test.each([200, 401, 403, 404, 426, 500, 503])('%i is an unexpected response', async (status) => {
    const { url } = await scriptedServer((_request, socket) => {
      socket.write(`HTTP/1.1 ${status} Words\r\nContent-Length: 4\r\n\r\nbody`)
    })
    const cause = await failedAttempt(new WebSocket(url))
    expect(cause).toBeInstanceOf(HandshakeError)
    expect([cause.message, cause.status]).toEqual([`Unexpected server response: ${status}`, status])
    await expect(connect(url)).rejects.toThrow(`Unexpected server response: ${status}`)
  })

  test.each([
    ['garbage', '\x81\x05hello\r\n\r\n', 'HPE_INVALID_CONSTANT'],
    ['nothing', '', 'ECONNRESET'],
    ['half a header', 'HTTP/1.1 101 Swi', 'ECONNRESET'],
  ])('that is %s is an error', async (_name, text, code) => {
    const { url } = await scriptedServer((_request, socket) => socket.end(text))
    expect((await failedAttempt(new WebSocket(url))).code).toBe(code)
  })
})

describe("'unexpected-response'", () => {
  const NO: Answer = (_request, socket) => socket.write('HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\nwhy?')

  test('its listener reads the answer; then the attempt has failed', async () => {
    const { url } = await scriptedServer(NO)
    const client = new WebSocket(url, { handshakeTimeout: 60_000 })
    const bodies: string[] = []
    client.on('unexpected-response', (_request: ClientRequest, response: IncomingMessage) => {
      response.on('data', (chunk: Buffer) => bodies.push(chunk.toString()))
    })
    expect((await failedAttempt(client)).message).toBe('Unexpected server response: 401')
    expect(bodies).toEqual(['why?'])
  })

  test.each<[string, (client: WebSocket, request: ClientRequest) => void, string]>([
    ['destroys the request', (_client, request) => request.destroy(), 'Unexpected server response: 401'],
    [
      'closes the socket',
      (client) => {
        client.close()
      },
      'WebSocket was closed before the connection was established',
    ],
    [
      'terminates the socket',
      (client) => {
        client.terminate()
      },
      'WebSocket was closed before the connection was established',
    ],
  ])('its listener %s', async (_name, listener, message) => {
    const { url } = await scriptedServer(NO)
    const client = new WebSocket(url)
    client.on('unexpected-response', (request) => {
      listener(client, request)
    })
    expect((await failedAttempt(client)).message).toBe(message)
  })
})

test('a failure without a listener for it is in the close alone', async () => {
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
