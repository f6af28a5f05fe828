import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { connect, WebSocket, WebSocketServer } from 'hubwire'
import { expect, onTestFinished, test } from 'vitest'
import { type Certificate, makeCertificate } from '../support/certificate.js'
import { closeOf } from '../support/close-of.js'
import { inbox, take } from '../support/inbox.js'
import { endWithTest } from '../support/running-server.js'

async function secureServer(options: Certificate & { requestCert?: boolean; ca?: string }): Promise<{
  server: WebSocketServer
  port: number
}> {
  const https = createServer(options).listen(0, '127.0.0.1')
  await once(https, 'listening')
  onTestFinished(() => {
    https.close()
    https.closeAllConnections()
  })
  const server = new WebSocketServer({ server: https })
  endWithTest(server)
  return { server, port: (https.address() as AddressInfo).port }
}

test('carries messages of all sizes both ways', async () => {
  const certificate = makeCertificate()
  const { server, port } = await secureServer(certificate)
  server.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(data as Buffer))
  })
  const client = await connect(`wss://127.0.0.1:${port}`, { ca: certificate.cert })
  const echoes = inbox(client)
  const sizes = [0, 1, 200, 20_000, 70_000, 1_000_000]
  for (const size of sizes) client.send(Buffer.alloc(size, size))
  const received = await take(echoes, sizes.length)
  expect(
    received.map((data, index) => (data as Buffer).equals(Buffer.alloc(sizes[index]!, sizes[index]))),
  ).toEqual(sizes.map(() => true))
  const closed = closeOf(client)
  client.close(1000)
  expect(await closed).toMatchObject({ code: 1000, wasClean: true })
})

test('fails for a certificate that is not trusted', async () => {
  const { port } = await secureServer(makeCertificate())
  const socket = new WebSocket(`wss://127.0.0.1:${port}`)
  const close = await closeOf(socket)
  expect(close.code).toBe(1006)
  expect(close.cause).toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  const trusting = await connect(`wss://127.0.0.1:${port}`, { rejectUnauthorized: false })
  trusting.terminate()
})

test('fails for a certificate of another name', async () => {
  const certificate = makeCertificate()
  const { port } = await secureServer(certificate)
  await expect(
    connect(`wss://127.0.0.1:${port}`, { ca: certificate.cert, servername: 'other.example' }),
  ).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
})

test('fails for a server without TLS', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  endWithTest(server)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await expect(connect(`wss://127.0.0.1:${port}`)).rejects.toMatchObject({
    code: expect.stringMatching(/EPROTO|ERR_SSL/) as string,
  })
})

test('presents a client certificate', async () => {
  const certificate = makeCertificate()
  const mine = makeCertificate()
  const { server, port } = await secureServer({ ...certificate, requestCert: true, ca: mine.cert })
  const accepted = once(server, 'connection') as Promise<[unknown, { socket: TLSSocket }]>
  const client = await connect(`wss://127.0.0.1:${port}`, {
    ca: certificate.cert,
    cert: mine.cert,
    key: mine.key,
  })
  const [, request] = await accepted
  expect(request.socket.authorized).toBe(true)
  client.terminate()
})
