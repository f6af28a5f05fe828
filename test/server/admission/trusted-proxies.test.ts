import type { IncomingHttpHeaders } from 'node:http'
import { connect, WebSocketServer, type ClientInfo } from 'hubwire'
import { expect, test } from 'vitest'
import { TrustedProxies, type TrustProxy } from '#src/server/admission/trusted-proxies.js'
import { openAsClient } from '../../support/raw-handshake.js'
import { refused } from '../../support/refused.js'
import { requestWith } from '../../support/request.js'
import { runningServer } from '../../support/running-server.js'

function client(
  trust: TrustProxy | undefined,
  remoteAddress: string | undefined,
  headers: IncomingHttpHeaders,
  encrypted = false,
): [address: string | undefined, host: string | undefined, isSecure: boolean] {
  const request = requestWith({
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
    headers: { host: 'inside', ...headers },
    encrypted,
  })
  const { forwardedAddress, host, isSecure } = new TrustedProxies(trust).client(request)
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
])('who trusts %j believes what %j says: %s', (trust, remoteAddress, address) => {
  expect(client(trust, remoteAddress, FORWARDED)).toEqual([address, 'outside.example', true])
})

test.each<[TrustProxy | undefined, remoteAddress: string | undefined]>([
  [undefined, '10.0.0.1'],
  [0, '10.0.0.1'],
  [[], '10.0.0.1'],
  [['10.0.0.0/8'], '11.0.0.1'],
  [['10.0.0.1'], 'fd00::1'],
  [['fd00::/8'], '10.0.0.1'],
])('who trusts %j believes nothing of what %j says', (trust, remoteAddress) => {
  expect(client(trust, remoteAddress, FORWARDED)).toEqual([undefined, 'inside', false])
  expect(client(trust, remoteAddress, FORWARDED, true)).toEqual([undefined, 'inside', true])
})

test('a proxy that says nothing leaves what the connection tells', () => {
  expect(client(1, '10.0.0.1', {})).toEqual(['10.0.0.1', 'inside', false])
  expect(client(1, '10.0.0.1', {}, true)).toEqual(['10.0.0.1', 'inside', true])
  expect(client(1, '10.0.0.1', { 'x-forwarded-proto': 'http' }, true)).toEqual(['10.0.0.1', 'inside', false])
})

test('headers that stood several times are one list', () => {
  expect(client(2, '10.0.0.1', { 'x-forwarded-for': ['1.1.1.1', '2.2.2.2'] })).toEqual([
    '1.1.1.1',
    'inside',
    false,
  ])
})

test('what is no address is trusted by nobody, and ends the search', () => {
  expect(client(['10.0.0.0/8'], '10.0.0.1', { 'x-forwarded-for': '6.6.6.6, unknown, 10.0.0.2' })[0]).toBe(
    'unknown',
  )
})

test.each(['proxy.example', '10.0.0.0/33', '10.0.0.0/x', '10.0.0.0/', ''])(
  'trusting %j is an error of the constructor',
  (entry) => {
    expect(() => new WebSocketServer({ noServer: true, trustProxy: [entry] })).toThrow(
      new TypeError(`trustProxy takes addresses and networks such as '10.0.0.0/8'; "${entry}" is neither`),
    )
  },
)

test('the socket of a connection through a proxy has the address of the client', async () => {
  const running = await runningServer({ trustProxy: 1 })
  const headers = { 'X-Forwarded-For': '6.6.6.6, 5.5.5.5' }
  const [, { socket }] = await Promise.all([connect(running.url, { headers }), running.next()])
  expect(socket.remoteAddress).toBe('5.5.5.5')
})

test('a spoofed header from a peer that is not trusted changes nothing', async () => {
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

test('the origin is compared with the host in front of a trusted proxy', async () => {
  const { port } = await runningServer({ trustProxy: ['127.0.0.1'] })
  await openAsClient(port, { Origin: 'https://outside.example', 'X-Forwarded-Host': 'outside.example' })
  const fields = { Origin: 'http://127.0.0.1', 'X-Forwarded-Host': 'outside.example' }
  expect(await refused(port, fields)).toMatchObject({ status: 403 })
})
