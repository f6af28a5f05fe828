import { once } from 'node:events'
import { X509Certificate } from 'node:crypto'
import { type ClientRequest, Agent as HttpAgent } from 'node:http'
import { Agent, createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { connect, WebSocket, type WebSocketOptions } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeCertificate } from '../support/certificate.js'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { acceptance, scriptedServer } from '../support/scripted-server.js'
import { uncaught } from '../support/uncaught.js'

/** A server that accepts at /end and redirects from everywhere else. */
function redirecting(location: string, status = 302): ReturnType<typeof scriptedServer> {
  return scriptedServer((request, socket) => {
    if (request.line.startsWith('GET /end')) socket.write(acceptance(request))
    else socket.end(`HTTP/1.1 ${status} Redirect\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`)
  })
}

const CREDENTIALS = {
  headers: {
    Authorization: 'Bearer secret',
    cookie: 'session=1',
    'Proxy-Authorization': 'x',
    Host: 'given',
    'X-Own': 'yes',
  },
}

test('does not follow redirects by default', async () => {
  const { url } = await redirecting('/end')
  await expect(connect(url)).rejects.toThrow('302')
})

test.each([301, 302, 303, 307, 308])(
  "follows %i with followRedirects, and emits 'redirect'",
  async (status) => {
    const { url, requests } = await redirecting('/end?q', status)
    const socket = new WebSocket(`${url}/start`, { followRedirects: true })
    const redirects: string[] = []
    socket.on('redirect', (location: string, request: ClientRequest) => {
      redirects.push(`${location} ${request.path}`)
      request.setHeader('X-Added', 'in the event')
    })
    await once(socket, 'open')
    expect(redirects).toEqual([`${url}/end?q /end?q`])
    expect(socket.url).toBe(`${url}/end?q`)
    expect(requests[1]?.fields.get('x-added')).toBe('in the event')
    expect(requests[0]?.fields.get('sec-websocket-key')).not.toBe(
      requests[1]?.fields.get('sec-websocket-key'),
    )
    socket.terminate()
  },
)

test('treats other statuses with a Location, and redirects without one, as unexpected responses', async () => {
  const created = await redirecting('/end', 201)
  await expect(connect(created.url, { followRedirects: true })).rejects.toThrow('201')
  const lost = await scriptedServer((_request, socket) =>
    socket.end('HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n'),
  )
  await expect(connect(lost.url, { followRedirects: true })).rejects.toThrow('302')
})

test('sends headers and credentials again within an origin', async () => {
  const { requests, port } = await redirecting('/end')
  const socket = await connect(`ws://user:pass@127.0.0.1:${port}/`, { ...CREDENTIALS, followRedirects: true })
  expect(requests[1]?.fields.get('cookie')).toBe('session=1')
  expect(requests[1]?.fields.get('authorization')).toBeDefined()
  expect(requests[1]?.fields.get('host')).toBe('given')
  expect(requests[1]?.fields.get('x-own')).toBe('yes')
  expect(socket.url).toBe(`ws://user:pass@127.0.0.1:${port}/end`)
  socket.terminate()
})

test('sends no headers or credentials to another origin, nor when redirected back (F15)', async () => {
  const end = await redirecting('/end')
  const away = await scriptedServer((_request, socket) =>
    socket.end(`HTTP/1.1 302 Found\r\nLocation: ${back}/back\r\nContent-Length: 0\r\n\r\n`),
  )
  const start = await scriptedServer((request, socket) => {
    const location = request.line.includes('/back') ? `${end.url}/end` : `${away.url}/away`
    socket.end(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`)
  })
  const back = start.url
  const socket = await connect(start.url.replace('//', '//user:pass@'), {
    ...CREDENTIALS,
    auth: 'user:pass',
    origin: 'https://page.example',
    followRedirects: true,
  })
  expect(start.requests[0]?.fields.get('cookie')).toBe('session=1')
  expect(start.requests[0]?.fields.get('x-own')).toBe('yes')
  for (const request of [away.requests[0], start.requests[1], end.requests[0]]) {
    expect([...request!.fields.keys()].sort()).toEqual([
      'connection',
      'host',
      'origin',
      'sec-websocket-key',
      'sec-websocket-version',
      'upgrade',
    ])
    expect(request?.fields.get('host')).toMatch(/^127\.0\.0\.1:\d+$/)
  }
  socket.terminate()
})

describe('a client certificate (F15)', () => {
  const theirs = makeCertificate()
  const mine = makeCertificate()

  /** A server that requests a certificate and redirects, and the certificates that clients presented. */
  async function askingServer(location: string): Promise<{ url: string; shown: (string | undefined)[] }> {
    const shown: (string | undefined)[] = []
    const server = createSecureServer({
      ...theirs,
      requestCert: true,
      rejectUnauthorized: false,
      ca: mine.cert,
    })
    server.on('secureConnection', (socket) => {
      shown.push(socket.getPeerCertificate().fingerprint256)
    })
    server.on('upgrade', (_request, socket) => {
      socket.end(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.close()
      server.closeAllConnections()
    })
    return { url: `wss://127.0.0.1:${(server.address() as AddressInfo).port}`, shown }
  }

  const { fingerprint256 } = new X509Certificate(mine.cert)

  test.each<[string, WebSocketOptions & { secureContext?: SecureContext }]>([
    ['cert and key', { cert: mine.cert, key: mine.key }],
    ['secureContext', { secureContext: createSecureContext({ ...mine, ca: theirs.cert }) }],
  ])('given by %s is presented to its own origin only', async (_name, options) => {
    const other = await askingServer('/again')
    const first = await askingServer(`${other.url}/`)
    const attempt = connect(first.url, {
      ...options,
      rejectUnauthorized: false,
      followRedirects: true,
      maxRedirects: 2,
    })
    await expect(attempt).rejects.toThrow('Maximum redirects exceeded')
    expect(first.shown).toEqual([fingerprint256])
    expect(other.shown).toEqual([undefined, undefined])
  })

  test('is presented again within its origin', async () => {
    const { url, shown } = await askingServer('/again')
    const options = { ...mine, rejectUnauthorized: false, followRedirects: true, maxRedirects: 1 }
    await expect(connect(url, options)).rejects.toThrow('Maximum redirects exceeded')
    expect(shown).toEqual([fingerprint256, fingerprint256])
  })

  test('makes a redirect to another origin fail if an agent has it', async () => {
    const other = await askingServer('/again')
    const first = await askingServer(`${other.url}/`)
    const agent = new Agent({ ...mine, rejectUnauthorized: false })
    await expect(connect(first.url, { agent, followRedirects: true })).rejects.toMatchObject({
      code: 'WS_ERR_REDIRECT_REFUSED',
      message: `Refused a redirect to another origin: the agent has a client certificate (${other.url}/)`,
    })
    expect(first.shown).toEqual([fingerprint256])
    expect(other.shown).toEqual([])
  })
})

test('follows a redirect to another origin with an agent that has no certificate', async () => {
  const end = await redirecting('/end')
  const start = await redirecting(`${end.url}/end`)
  const socket = await connect(start.url, { agent: new HttpAgent(), followRedirects: true })
  expect(end.requests).toHaveLength(1)
  socket.terminate()
})

test('fails the attempt if the agent cannot follow the redirect', async () => {
  const { url } = await redirecting('wss://127.0.0.1:1/')
  await expect(connect(url, { agent: new HttpAgent(), followRedirects: true })).rejects.toMatchObject({
    code: 'WS_ERR_INVALID_REDIRECT',
    message: expect.stringContaining('Protocol "https:" not supported') as string,
  })
})

test('ignores credentials in the URL of another origin', async () => {
  const end = await redirecting('/end')
  const start = await redirecting(`${end.url.replace('//', '//evil:evil@')}/end`)
  const socket = await connect(start.url, { followRedirects: true })
  expect(end.requests[0]?.fields.has('authorization')).toBe(false)
  socket.terminate()
})

test('follows no more than maxRedirects (F38)', async () => {
  const { url, requests } = await redirecting('/again')
  await expect(connect(url, { followRedirects: true })).rejects.toMatchObject({
    name: 'ConnectError',
    code: 'WS_ERR_TOO_MANY_REDIRECTS',
    message: 'Maximum redirects exceeded: maxRedirects is 10',
  })
  expect(requests.length).toBe(11)
  const few = await redirecting('/again')
  await expect(connect(few.url, { followRedirects: true, maxRedirects: 2 })).rejects.toThrow('Maximum')
  expect(few.requests.length).toBe(3)
})

test.each([
  ['with an invalid URL', 'http://', 'WS_ERR_INVALID_REDIRECT', 'Invalid redirect: Invalid URL'],
  ['to another protocol', 'ftp://host/', 'WS_ERR_INVALID_REDIRECT', "The URL's protocol must be"],
  ['with a fragment', '/end#part', 'WS_ERR_INVALID_REDIRECT', 'has no fragment'],
  [
    'to a unix socket',
    'ws+unix:/run/docker.sock:/',
    'WS_ERR_REDIRECT_REFUSED',
    'Refused a redirect to a unix',
  ],
])('fails for a redirect %s (F38)', async (_name, location, code, message) => {
  const { url } = await redirecting(location)
  await expect(connect(url, { followRedirects: true })).rejects.toMatchObject({
    code,
    message: expect.stringContaining(message) as string,
  })
})

test('survives a malformed user name in a redirect', async () => {
  const errors = uncaught()
  const { port } = await redirecting(`http://%ff:%@127.0.0.1:1/end`)
  const start = await redirecting('/end')
  const malformed = await redirecting(`http://%ff@127.0.0.1:${start.port}/end`)
  const other = await connect(malformed.url, { followRedirects: true })
  other.terminate()
  const same = await scriptedServer((request, socket) => {
    if (request.line.startsWith('GET /end')) socket.write(acceptance(request))
    else {
      const host = request.fields.get('host') ?? ''
      socket.end(`HTTP/1.1 302 Found\r\nLocation: http://%ff:x@${host}/end\r\nContent-Length: 0\r\n\r\n`)
    }
  })
  const socket = await connect(same.url, { followRedirects: true })
  expect(same.requests[1]?.fields.get('authorization')).toBe(
    `Basic ${Buffer.from('%ff:x').toString('base64')}`,
  )
  socket.terminate()
  await expect(connect(`ws://127.0.0.1:${port}`, { followRedirects: true })).rejects.toThrow()
  expect(errors).toEqual([])
})

test('refuses a redirect from wss: to ws:, and follows one from ws: to wss:', async () => {
  const certificate = makeCertificate()
  const plain = await scriptedServer((request, socket) => socket.write(acceptance(request)))
  const secure = createSecureServer(certificate, (_request, response) => {
    response.writeHead(302, { Location: plain.url }).end()
  }).listen(0, '127.0.0.1')
  await once(secure, 'listening')
  onTestFinished(() => {
    secure.close()
    secure.closeAllConnections()
  })
  const { port } = secure.address() as AddressInfo
  const options = { followRedirects: true, ca: certificate.cert }
  await expect(connect(`wss://127.0.0.1:${port}`, options)).rejects.toThrow(
    `Refused a redirect from wss: to ws: (${plain.url}/)`,
  )
  await expect(connect(`wss://127.0.0.1:${port}`, options)).rejects.toMatchObject({
    code: 'WS_ERR_REDIRECT_REFUSED',
  })
  expect(plain.requests.length).toBe(0)
  const up = await redirecting(`wss://127.0.0.1:${port}/`)
  // The redirect was followed: the answer is that of the TLS server.
  await expect(connect(up.url, options)).rejects.toThrow('Refused a redirect from wss:')
})

test("sends no request to the next server after close() within 'redirect'", async () => {
  const end = await redirecting('/end')
  const { url } = await redirecting(`${end.url}/end`)
  const socket = new WebSocket(url, { followRedirects: true })
  socket.on('redirect', () => {
    socket.close()
  })
  expect((await closeOf(socket)).cause?.message).toContain('before the connection was established')
  await settled()
  expect(end.requests.length).toBe(0)
})

test('limits all redirects together by handshakeTimeout', async () => {
  const { url, requests } = await redirecting('/again')
  await expect(
    connect(url, { followRedirects: true, handshakeTimeout: 300, maxRedirects: 1_000_000 }),
  ).rejects.toMatchObject({ code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
  expect(requests.length).toBeGreaterThan(1)
})
