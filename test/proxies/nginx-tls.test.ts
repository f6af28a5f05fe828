import { once } from 'node:events'
import { join } from 'node:path'
import {
  connect,
  type ClientInfo,
  type WebSocket,
  WebSocketServer,
  type WebSocketServerOptions,
} from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { inbox } from '../support/inbox.js'
import { requires } from '../support/requirements.js'
import { endWithTest } from '../support/running-server.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { certificateLines } from './certificate-lines.js'
import { startNginx } from './nginx.js'
import { visit } from './worker.js'

/** A server behind nginx, which terminates TLS. It first sends each client how it sees the connection. */
async function secureSite(
  options: WebSocketServerOptions,
  instead: Readonly<Record<string, string>> = {},
): Promise<{ server: WebSocketServer; host: string; ca: string }> {
  const folder = temporaryFolder()
  const unixPath = join(folder, 'worker.sock')
  const server = new WebSocketServer({ unixPath, unixMode: 0o660, ...options })
  endWithTest(server)
  server.on('connection', (socket) => socket.send(JSON.stringify({ address: socket.remoteAddress })))
  await once(server, 'listening')

  const { cert, lines } = certificateLines(folder)
  const nginx = await startNginx('tls.conf', {
    'server unix:/run/hubwire/worker.sock;': `server unix:${unixPath};`,
    ...lines,
    ...instead,
  })
  onTestFinished(() => nginx.stop())
  return { server, host: nginx.host, ca: cert }
}

describe('nginx with TLS', requires('nginx'), () => {
  test('forwards messages and close codes, both ways', async () => {
    const { server, host, ca } = await secureSite({ trustProxy: 1 })
    const connected = once(server, 'connection') as Promise<[WebSocket]>
    const { socket: client, messages } = await visit(`wss://${host}`, { ca })
    const [socket] = await connected
    const received = inbox(socket)
    client.send('Grüße')
    expect(await received.next()).toBe('Grüße')
    socket.send('Grüße zurück')
    expect(await messages.next()).toBe('Grüße zurück')
    const closed = closeOf(client)
    socket.close(4321, 'later')
    expect(await closed).toMatchObject({ code: 4321, reason: 'later', wasClean: true })
  })

  test('passes on the client’s address with trustProxy, even with a spoofed X-Forwarded-For', async () => {
    const { host, ca } = await secureSite({ trustProxy: 1 })
    const spoofed = { 'X-Forwarded-For': '203.0.113.7, 198.51.100.1', 'X-Real-IP': '203.0.113.7' }
    for (const headers of [{}, spoofed]) {
      expect((await visit(`wss://${host}`, { ca, headers })).address).toBe('127.0.0.1')
      const other = await visit(`wss://${host}`, { ca, headers, localAddress: '127.0.0.2' })
      expect(other.address).toBe('127.0.0.2')
    }
  })

  test('has no effect on the address without trustProxy', async () => {
    const { host, ca } = await secureSite({})
    expect((await visit(`wss://${host}`, { ca })).address).toBeUndefined()
  })

  test('makes the connection secure with trustProxy, whatever headers the client sends', async () => {
    const seen: boolean[] = []
    const verifyClient = ({ secure }: ClientInfo): boolean => seen.push(secure) > 0
    const headers = { 'X-Forwarded-Proto': 'http' }
    const trusting = await secureSite({ trustProxy: 1, verifyClient })
    await visit(`wss://${trusting.host}`, { ca: trusting.ca, headers })
    const plain = await secureSite({ verifyClient })
    await visit(`wss://${plain.host}`, { ca: plain.ca })
    expect(seen).toEqual([true, false])
  })

  describe('a page of the same site', () => {
    test('is accepted, but not a page of another site, whatever host the client sends', async () => {
      const { host, ca } = await secureSite({ trustProxy: 1 })
      await visit(`wss://${host}`, { ca, origin: `https://${host}` })
      const forged = { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'https' }
      for (const headers of [{}, forged]) {
        const attempt = connect(`wss://${host}`, { ca, headers, origin: 'https://evil.example' })
        await expect(attempt).rejects.toThrow('403')
      }
    })

    test('is accepted by X-Forwarded-Host if nginx replaces Host', async () => {
      const instead = { 'proxy_set_header Host $http_host;': '' }
      const trusting = await secureSite({ trustProxy: 1 }, instead)
      await visit(`wss://${trusting.host}`, { ca: trusting.ca, origin: `https://${trusting.host}` })
      const plain = await secureSite({}, instead)
      const attempt = connect(`wss://${plain.host}`, { ca: plain.ca, origin: `https://${plain.host}` })
      await expect(attempt).rejects.toThrow('403')
    })
  })
})
