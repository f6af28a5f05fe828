import { once } from 'node:events'
import type { ClientRequest } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect, WebSocket } from 'hubwire'
import { expect, onTestFinished, test } from 'vitest'
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

test('are an unexpected response by default', async () => {
  const { url } = await redirecting('/end')
  await expect(connect(url)).rejects.toThrow('Unexpected server response: 302')
})

test.each([301, 302, 303, 307, 308])('%i is followed when told, and each is an event', async (status) => {
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
  expect(requests[0]?.fields.get('sec-websocket-key')).not.toBe(requests[1]?.fields.get('sec-websocket-key'))
  socket.terminate()
})

test('other statuses with a Location, and redirects without one, are unexpected', async () => {
  const created = await redirecting('/end', 201)
  await expect(connect(created.url, { followRedirects: true })).rejects.toThrow(
    'Unexpected server response: 201',
  )
  const lost = await scriptedServer((_request, socket) =>
    socket.end('HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n'),
  )
  await expect(connect(lost.url, { followRedirects: true })).rejects.toThrow(
    'Unexpected server response: 302',
  )
})

test('credentials stay within a host', async () => {
  const { requests, port } = await redirecting('/end')
  const socket = await connect(`ws://user:pass@127.0.0.1:${port}/`, { ...CREDENTIALS, followRedirects: true })
  expect(requests[1]?.fields.get('cookie')).toBe('session=1')
  expect(requests[1]?.fields.get('authorization')).toBeDefined()
  expect(requests[1]?.fields.get('host')).toBe('given')
  expect(socket.url).toBe(`ws://user:pass@127.0.0.1:${port}/end`)
  socket.terminate()
})

test('and are not sent to another, nor back again', async () => {
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
    followRedirects: true,
  })
  expect(start.requests[0]?.fields.get('cookie')).toBe('session=1')
  for (const request of [away.requests[0], start.requests[1], end.requests[0]]) {
    expect(request?.fields.has('authorization')).toBe(false)
    expect(request?.fields.has('cookie')).toBe(false)
    expect(request?.fields.has('proxy-authorization')).toBe(false)
    expect(request?.fields.get('host')).not.toBe('given')
    expect(request?.fields.get('x-own')).toBe('yes')
  }
  socket.terminate()
})

test('credentials in the new URL of another host are not used either', async () => {
  const end = await redirecting('/end')
  const start = await redirecting(`${end.url.replace('//', '//evil:evil@')}/end`)
  const socket = await connect(start.url, { followRedirects: true })
  expect(end.requests[0]?.fields.has('authorization')).toBe(false)
  socket.terminate()
})

test('a loop ends', async () => {
  const { url, requests } = await redirecting('/again')
  await expect(connect(url, { followRedirects: true })).rejects.toThrow('Maximum redirects exceeded')
  expect(requests.length).toBe(11)
  const few = await redirecting('/again')
  await expect(connect(few.url, { followRedirects: true, maxRedirects: 2 })).rejects.toThrow('Maximum')
  expect(few.requests.length).toBe(3)
})

test.each([
  ['nowhere', 'http://', 'Invalid URL'],
  ['to another protocol', 'ftp://host/', "The URL's protocol must be"],
  ['with a fragment', '/end#part', 'has no fragment'],
  ['to a unix socket', 'ws+unix:/run/docker.sock:/', 'Refused a redirect to a unix socket'],
])('one %s fails', async (_name, location, message) => {
  const { url } = await redirecting(location)
  await expect(connect(url, { followRedirects: true })).rejects.toThrow(message)
})

test('one with a malformed user name ends no process', async () => {
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

test('from wss: to ws: is refused, from ws: to wss: is followed', async () => {
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
  expect(plain.requests.length).toBe(0)
  const up = await redirecting(`wss://127.0.0.1:${port}/`)
  // It was followed: the answer is that of the server behind TLS.
  await expect(connect(up.url, options)).rejects.toThrow('Refused a redirect from wss:')
})

test("close() within 'redirect' is the end, and the next server is not asked", async () => {
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

test('handshakeTimeout is for all of them together', async () => {
  const slow = await scriptedServer((request, socket) => {
    setTimeout(
      () =>
        socket.end(
          `HTTP/1.1 302 Found\r\nLocation: ${request.line.split(' ')[1] ?? ''}x\r\nContent-Length: 0\r\n\r\n`,
        ),
      15,
    )
  })
  await expect(
    connect(`${slow.url}/`, { followRedirects: true, handshakeTimeout: 60, maxRedirects: 1000 }),
  ).rejects.toThrow('timed out')
  expect(slow.requests.length).toBeGreaterThan(1)
})
