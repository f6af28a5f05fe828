import { once } from 'node:events'
import { type ClientRequest, createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type ClientOptions, WebSocket, WebSocketServer } from 'hubwire/ws'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeCertificate } from '../support/certificate.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const HEADERS = { Authorization: 'Bearer secret', cookie: 'session=1', Host: 'given', 'X-Key': 'own' }

/** The fields of {@link HEADERS} that a request has. */
function given({ headers }: IncomingMessage): object {
  const { authorization, cookie, host } = headers
  return { authorization, cookie, host, 'x-key': headers['x-key'] }
}

/** A server that accepts, or that redirects to `location`, and the requests that it gets. */
async function place(
  location?: string,
  server: Server = createServer(),
  path?: string,
): Promise<{ host: string; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = []
  const accepting = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request: IncomingMessage, socket, head) => {
    requests.push(request)
    if (location === undefined)
      accepting.handleUpgrade(request, socket, head, (one) => {
        one.close()
      })
    else
      socket.end(`HTTP/1.1 ${request.url === '/300' ? 300 : 302} Redirect\r\nLocation: ${location}\r\n\r\n`)
  })
  server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path })
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  return { host: path ?? `127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

/** Connects, and waits for the end that the last server makes. */
async function follow(url: string, options: ClientOptions = {}, isWatched = false): Promise<WebSocket> {
  const socket = new WebSocket(url, { followRedirects: true, headers: HEADERS, ...options })
  if (isWatched) socket.on('redirect', () => undefined)
  const [code] = (await once(socket, 'close')) as [number]
  expect(code).toBe(1005)
  return socket
}

describe('a redirect', () => {
  test('to the same host keeps all headers', async () => {
    const server = createServer()
    const accepting = new WebSocketServer({ noServer: true })
    const requests: IncomingMessage[] = []
    server.on('upgrade', (request: IncomingMessage, socket, head) => {
      requests.push(request)
      if (request.url === '/end')
        accepting.handleUpgrade(request, socket, head, (one) => {
          one.close()
        })
      else socket.end('HTTP/1.1 302 Found\r\nLocation: /end\r\n\r\n')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.close()
    })
    const { port } = server.address() as AddressInfo
    const socket = await follow(`ws://user:word@127.0.0.1:${port}/`)
    expect(requests.map(given)).toEqual(
      [1, 2].map(() => ({
        authorization: 'Bearer secret',
        cookie: 'session=1',
        host: 'given',
        'x-key': 'own',
      })),
    )
    expect(socket.url).toBe(`ws://user:word@127.0.0.1:${port}/end`)
    expect(socket).toMatchObject({ _redirects: 1, _req: null })
  })

  test('to another host drops the credentials, and no other header', async () => {
    const end = await place()
    const start = await place(`ws://${end.host}/`)
    await follow(`ws://${start.host}/`)
    expect(end.requests.map(given)).toEqual([{ host: end.host, 'x-key': 'own' }])
    await follow(`ws://${start.host}/300`, { auth: 'user:word', headers: {} } as ClientOptions)
    expect(start.requests[1]?.headers.authorization).toBe(`Basic ${btoa('user:word')}`)
    expect(end.requests[1]?.headers.authorization).toBeUndefined()
  })

  test("to another host drops nothing where 'redirect' has a listener", async () => {
    const end = await place()
    const start = await place(`ws://${end.host}/`)
    await follow(`ws://${start.host}/`, {}, true)
    expect(end.requests.map(given)).toEqual(start.requests.map(given))
    expect(end.requests).toHaveLength(1)
  })

  test('from wss: to ws: is followed without the credentials', async () => {
    const end = await place()
    const start = await place(`ws://${end.host}/`, createSecureServer(makeCertificate()))
    await follow(`wss://${start.host}/`, { rejectUnauthorized: false })
    expect(end.requests.map(given)).toEqual([{ host: end.host, 'x-key': 'own' }])
  })

  test.skipIf(process.platform === 'win32')(
    'to a unix socket is followed from a unix socket alone',
    async () => {
      const folder = temporaryFolder()
      const end = await place(undefined, createServer(), join(folder, 'end'))
      const start = await place(`ws+unix:${end.host}`, createServer(), join(folder, 'start'))
      await follow(`ws+unix:${start.host}`)
      expect(end.requests.map(given)).toEqual([{ host: 'localhost', 'x-key': 'own' }])

      const remote = await place(`ws+unix:${end.host}`)
      const refused = new WebSocket(`ws://${remote.host}/`, { followRedirects: true })
      expect((await once(refused, 'error'))[0]).toMatchObject({ code: 'WS_ERR_REDIRECT_REFUSED' })
      expect(end.requests).toHaveLength(1)
    },
  )

  test('can be inspected and changed through its request', async () => {
    const end = await place()
    const start = await place(`ws://${end.host}/`)
    const options = { followRedirects: true, headers: HEADERS }
    const socket = new WebSocket(`ws://${start.host}/`, options) as WebSocket & {
      readonly _req: ClientRequest | null
    }
    const first = socket._req
    expect(first?.getHeader('x-key')).toBe('own')
    socket.on('redirect', (_url, request) => {
      expect(request).toBe(socket._req)
      expect(request).not.toBe(first)
      request.setHeader('x-key', 'second')
    })
    await once(socket, 'close')
    expect(end.requests[0]?.headers['x-key']).toBe('second')
  })
})
