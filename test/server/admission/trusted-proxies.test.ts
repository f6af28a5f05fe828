import { once } from 'node:events'
import type { IncomingHttpHeaders } from 'node:http'
import { connect as connectSocket, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect, type WebSocket, WebSocketServer, type ClientInfo } from 'hubwire'
import { expect, test } from 'vitest'
import { TrustedProxies, type TrustProxy } from '#src/server/admission/trusted-proxies.js'
import { handshakeText } from '../../support/http-exchange.js'
import { startHttp } from '../../support/http-server.js'
import { openAsClient } from '../../support/raw-handshake.js'
import { refused } from '../../support/refused.js'
import { requestWith } from '../../support/request.js'
import { endWithTest, runningServer } from '../../support/running-server.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

function client(
  trust: TrustProxy | undefined,
  remoteAddress: string | undefined,
  headers: IncomingHttpHeaders,
  encrypted = false,
  isUnixSocket = remoteAddress === undefined,
): [address: string | undefined, host: string | undefined, isSecure: boolean] {
  const request = requestWith({
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
    headers: { host: 'inside', ...headers },
    encrypted,
  })
  const { forwardedAddress, host, isSecure } = new TrustedProxies(trust, () => isUnixSocket).client(request)
  return [forwardedAddress, host, isSecure]
}

const FORWARDED = {
  'x-forwarded-for': '6.6.6.6, 5.5.5.5, 10.0.0.2',
  'x-forwarded-host': 'spoofed.example, outside.example',
  'x-forwarded-proto': 'http, https',
}

test.each<[TrustProxy | undefined, remoteAddress: string | undefined, address: string]>([
  [1, '10.0.0.1', '10.0.0.2'],
  [2, '10.0.0.1', '5.5.5.5'],
  [3, '10.0.0.1', '6.6.6.6'],
  [9, '10.0.0.1', '6.6.6.6'],
  [['10.0.0.1'], '10.0.0.1', '10.0.0.2'],
  [['10.0.0.0/8'], '10.0.0.1', '5.5.5.5'],
  [['10.0.0.0/8'], '::ffff:10.0.0.1', '5.5.5.5'],
  [['fd00::/8', '10.0.0.2'], 'fd00::1', '5.5.5.5'],
  [['fd00::1', '0.0.0.0/0'], 'fd00::1', '6.6.6.6'],
  [['10.0.0.2'], undefined, '5.5.5.5'],
  [[], undefined, '10.0.0.2'],
])('with trustProxy: %j trusts the peer %j and takes the address %s', (trust, remoteAddress, address) => {
  expect(client(trust, remoteAddress, FORWARDED)).toEqual([address, 'outside.example', true])
})

test.each<[TrustProxy | undefined, remoteAddress: string | undefined]>([
  [undefined, '10.0.0.1'],
  [0, '10.0.0.1'],
  [[], '10.0.0.1'],
  [['10.0.0.0/8'], '11.0.0.1'],
  [['10.0.0.1'], 'fd00::1'],
  [['fd00::/8'], '10.0.0.1'],
])('with trustProxy: %j ignores the headers of the peer %j', (trust, remoteAddress) => {
  expect(client(trust, remoteAddress, FORWARDED)).toEqual([undefined, 'inside', false])
  expect(client(trust, remoteAddress, FORWARDED, true)).toEqual([undefined, 'inside', true])
})

test('uses the address of the socket if a trusted proxy sends no headers', () => {
  expect(client(1, '10.0.0.1', {})).toEqual(['10.0.0.1', 'inside', false])
  expect(client(1, '10.0.0.1', {}, true)).toEqual(['10.0.0.1', 'inside', true])
  expect(client(1, '10.0.0.1', { 'x-forwarded-proto': 'http' }, true)).toEqual(['10.0.0.1', 'inside', false])
})

test('joins repeated headers into one list', () => {
  expect(client(2, '10.0.0.1', { 'x-forwarded-for': ['1.1.1.1', '2.2.2.2'] })).toEqual([
    '1.1.1.1',
    'inside',
    false,
  ])
})

test('stops at the last valid address if anything else follows it (F50)', () => {
  const address = (forwarded: string, trust: TrustProxy = ['10.0.0.0/8']): unknown =>
    client(trust, '10.0.0.1', { 'x-forwarded-for': forwarded })[0]
  expect(address('6.6.6.6, unknown, 10.0.0.2')).toBe('10.0.0.2')
  expect(address('unknown')).toBe('10.0.0.1')
  expect(address('6.6.6.6, <script>', 1)).toBe('10.0.0.1')
  expect(address(',', 1)).toBe('10.0.0.1')
})

test.each([
  ['1.2.3.4:5678', '1.2.3.4'],
  ['[::1]:80', '::1'],
  ['[::1]', '::1'],
  ['1.2.3.4,', '1.2.3.4'],
  ['9.9.9.9, 1.2.3.4 , ', '1.2.3.4'],
  ['2001:DB8:0:0::0:1', '2001:db8::1'],
  ['[2001:db8::1]:443', '2001:db8::1'],
  ['::FFFF:1.2.3.4', '1.2.3.4'],
  ['::ffff:102:304', '1.2.3.4'],
  ['[::ffff:1.2.3.4]:9', '1.2.3.4'],
])('takes from X-Forwarded-For %j the address %s (F23, F50)', (forwarded, address) => {
  expect(client(1, '10.0.0.1', { 'x-forwarded-for': forwarded })[0]).toBe(address)
})

test('normalizes the address of the socket in the same way (F50)', () => {
  expect(client(1, '::ffff:10.0.0.1', {})[0]).toBe('10.0.0.1')
})

test.each<[IncomingHttpHeaders, host: string, isSecure: boolean]>([
  [{ 'x-forwarded-host': 'a.example,' }, 'a.example', false],
  [{ 'x-forwarded-host': 'a.example:8443' }, 'a.example:8443', false],
  [{ 'x-forwarded-host': ',' }, 'inside', false],
  [{ 'x-forwarded-host': 'a b' }, 'inside', false],
  [{ 'x-forwarded-host': 'user@a.example' }, 'inside', false],
  [{ 'x-forwarded-host': 'a.example/path' }, 'inside', false],
  [{ 'x-forwarded-host': 'a.example:port' }, 'inside', false],
  [{ 'x-forwarded-proto': 'https,' }, 'inside', true],
  [{ 'x-forwarded-proto': 'HTTPS' }, 'inside', true],
  [{ 'x-forwarded-proto': 'wss' }, 'inside', true],
  [{ 'x-forwarded-proto': 'gopher' }, 'inside', false],
])('takes from %j the host %s, and TLS: %s (F50)', (headers, host, isSecure) => {
  expect(client(1, '10.0.0.1', headers).slice(1)).toEqual([host, isSecure])
})

test('does not trust a peer without an address by a list, except on a unix socket (F8)', () => {
  expect(client(['10.0.0.0/8'], undefined, FORWARDED, false, false)).toEqual([undefined, 'inside', false])
  expect(client(['10.0.0.0/8'], undefined, FORWARDED, false, true)).toEqual([
    '5.5.5.5',
    'outside.example',
    true,
  ])
})

test('ignores the headers of a client that has reset its TCP connection (F8)', async () => {
  const { http, port } = await startHttp()
  const hosts: boolean[] = []
  const server = new WebSocketServer({
    server: http,
    trustProxy: ['10.0.0.0/8'],
    verifyClient: ({ secure }) => hosts.push(secure) > 0,
  })
  endWithTest(server)
  const asked = once(http, 'connection') as Promise<[Socket]>
  const raw = connectSocket(port, '127.0.0.1').on('error', () => {})
  const [socket] = await asked
  // The state of a socket after the system has noticed the reset, and before Node.js has.
  Object.defineProperty(socket, 'remoteAddress', { value: undefined })
  raw.write(handshakeText({ 'X-Forwarded-For': '6.6.6.6', 'X-Forwarded-Proto': 'https' }))
  const [accepted] = (await once(server, 'connection')) as [WebSocket]
  expect([accepted.remoteAddress, hosts]).toEqual([undefined, [false]])
  raw.destroy()
})

test('trusts a proxy on a unix socket with a list (F8)', async () => {
  const unixPath = join(temporaryFolder(), 'socket')
  const server = new WebSocketServer({ unixPath, trustProxy: [] })
  endWithTest(server)
  await once(server, 'listening')
  const connected = once(server, 'connection') as Promise<[WebSocket]>
  const client = await connect(`ws+unix:${unixPath}`, { headers: { 'X-Forwarded-For': '6.6.6.6' } })
  expect((await connected)[0].remoteAddress).toBe('6.6.6.6')
  client.terminate()
})

test('counts connections of one address together, whatever its notation and port (F23)', async () => {
  const { port } = await runningServer({ trustProxy: 1, maxConnectionsPerAddress: 1 })
  await openAsClient(port, { 'X-Forwarded-For': '1.2.3.4:5678' })
  for (const spelling of ['1.2.3.4:1', '1.2.3.4', '::ffff:1.2.3.4', '[::FFFF:102:304]:7']) {
    expect(await refused(port, { 'X-Forwarded-For': spelling })).toMatchObject({ status: 429 })
  }
})

test.each(['proxy.example', '10.0.0.0/33', '10.0.0.0/x', '10.0.0.0/', ''])(
  'throws a TypeError for trustProxy: [%j]',
  (entry) => {
    expect(() => new WebSocketServer({ noServer: true, trustProxy: [entry] })).toThrow(
      new TypeError(
        `trustProxy must list addresses and networks such as '10.0.0.0/8'; "${entry}" is neither`,
      ),
    )
  },
)

test('gives a socket behind a trusted proxy the address of the client', async () => {
  const running = await runningServer({ trustProxy: 1 })
  const headers = { 'X-Forwarded-For': '6.6.6.6, 5.5.5.5' }
  const [, { socket }] = await Promise.all([connect(running.url, { headers }), running.next()])
  expect(socket.remoteAddress).toBe('5.5.5.5')
})

test('ignores the headers of an untrusted peer', async () => {
  const seen: ClientInfo[] = []
  const running = await runningServer({
    trustProxy: ['10.0.0.0/8'],
    verifyClient: (info) => seen.push(info) > 0,
  })
  const headers = { 'X-Forwarded-For': '5.5.5.5', 'X-Forwarded-Proto': 'https' }
  const [, { socket }] = await Promise.all([connect(running.url, { headers }), running.next()])
  expect(socket.remoteAddress).toBe('127.0.0.1')
  expect(seen[0]?.secure).toBe(false)
  const fields = { Origin: 'https://evil.example', 'X-Forwarded-Host': 'evil.example' }
  expect(await refused(running.port, fields)).toMatchObject({ status: 403 })
})

test('compares the origin with the host that the client requested from a trusted proxy', async () => {
  const { port } = await runningServer({ trustProxy: ['127.0.0.1'] })
  await openAsClient(port, { Origin: 'https://outside.example', 'X-Forwarded-Host': 'outside.example' })
  const fields = { Origin: 'http://127.0.0.1', 'X-Forwarded-Host': 'outside.example' }
  expect(await refused(port, fields)).toMatchObject({ status: 403 })
})
