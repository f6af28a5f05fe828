import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect as connectSecurely, type TLSSocket } from 'node:tls'
import { connect, type Path, type WebSocket, WebSocketServer } from 'hubwire'
import { expect, onTestFinished, test } from 'vitest'
import { makeCertificate } from '../support/certificate.js'
import { handshakeText, readAnswer } from '../support/http-exchange.js'
import { inbox } from '../support/inbox.js'
import { expectComplete } from '../support/refused.js'
import { endWithTest } from '../support/running-server.js'

test('shares an https.Server among servers by string, pattern and function, and answers everything else', async () => {
  const certificate = makeCertificate()
  const https = createServer(certificate, (request, response) => {
    response.end(`page ${request.url ?? ''}`)
  }).listen(0, '127.0.0.1')
  await once(https, 'listening')
  onTestFinished(() => {
    https.close()
    https.closeAllConnections()
  })
  const { port } = https.address() as AddressInfo
  const paths: Path[] = [
    '/string',
    /^\/pattern\/(?<room>[^/]+)\/(?<seat>\d+)?$/,
    (pathname, { headers }) =>
      pathname === '/predicate' && headers['x-tenant'] !== undefined
        ? { tenant: String(headers['x-tenant']) }
        : pathname === '/predicate/any',
  ]
  const servers = paths.map((path, index) => {
    const server = new WebSocketServer({ server: https, path })
    endWithTest(server)
    server.on('connection', (socket) => socket.send(JSON.stringify([index, socket.params])))
    return server
  })
  const open = (path: string, headers: Record<string, string> = {}): Promise<WebSocket> =>
    connect(`wss://localhost:${port}${path}`, { ca: certificate.cert, host: '127.0.0.1', headers })
  const told = async (path: string, headers?: Record<string, string>): Promise<unknown> =>
    JSON.parse((await inbox(await open(path, headers)).next()) as string) as unknown
  const secure = (): TLSSocket =>
    connectSecurely({ port, host: '127.0.0.1', ca: certificate.cert, servername: 'localhost' })

  expect(await told('/string?a=b')).toEqual([0, {}])
  expect(await told('/pattern/caf%C3%A9/')).toEqual([1, { room: 'café' }])
  expect(await told('/pattern/lobby/7')).toEqual([1, { room: 'lobby', seat: '7' }])
  expect(await told('/predicate', { 'X-Tenant': 'acme' })).toEqual([2, { tenant: 'acme' }])
  expect(await told('/predicate/any')).toEqual([2, {}])
  for (const path of ['/', '/string/', '/pattern//', '/predicate']) {
    const socket = secure()
    socket.write(handshakeText({}, `GET ${path} HTTP/1.1`))
    expect(expectComplete(await readAnswer(socket)).status).toBe(404)
  }
  const plain = secure()
  plain.write('GET /string HTTP/1.0\r\n\r\n')
  expect(await readAnswer(plain)).toMatchObject({ status: 200, body: 'page /string' })
  expect(servers.map((server) => server.stats().accepted)).toEqual([1, 2, 2])
})
