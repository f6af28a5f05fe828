import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { join } from 'node:path'
import { type Anonymous, anonymous, connect, refuse, WebSocketServer } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { closeOf } from '../../support/close-of.js'
import { exchange, handshakeText, type HttpAnswer } from '../../support/http-exchange.js'
import { openAsClient } from '../../support/raw-handshake.js'
import { refused } from '../../support/refused.js'
import { runningServer } from '../../support/running-server.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

/** Ends all connections of a server, and waits until their sockets are closed. */
async function endAll(server: WebSocketServer): Promise<void> {
  const sockets = [...server.clients]
  await Promise.all(
    sockets.map((socket) => {
      const closed = closeOf(socket)
      socket.terminate()
      return closed
    }),
  )
}

function summary({ status, fields, body }: HttpAnswer): [number, string | undefined, string] {
  return [status, fields.get('retry-after'), body]
}

describe('maxConnections', () => {
  const FULL = [503, '5', 'The server has reached its limit of connections\n']

  test('refuses further connections with 503 until one closes', async () => {
    const { server, port, url } = await runningServer({ maxConnections: 2 })
    await Promise.all([connect(url), connect(url)])
    expect(summary(await refused(port))).toEqual(FULL)
    expect(server.clients.size).toBe(2)
    await endAll(server)
    for (let count = 0; count < 2; count++) await connect(url)
    expect(summary(await refused(port))).toEqual(FULL)
  })

  test('counts handshakes that are being checked', async () => {
    let admit: (user: Anonymous) => void = () => {}
    const { server, port } = await runningServer({
      maxConnections: 1,
      authenticate: () =>
        new Promise<Anonymous>((resolve) => {
          admit = resolve
          server.emit('listening')
        }),
    })
    const looking = once(server, 'listening')
    const opening = openAsClient(port)
    await looking
    expect(summary(await refused(port))).toEqual(FULL)
    admit(anonymous)
    await opening
    expect(summary(await refused(port))).toEqual(FULL)
  })

  test('does not count refused connections', async () => {
    const { port, url } = await runningServer({
      maxConnections: 1,
      authenticate: (request) => (request.url === '/no' ? refuse(401) : anonymous),
    })
    for (let count = 0; count < 3; count++) {
      const socket = connectSocket(port, '127.0.0.1')
      socket.write(handshakeText({}, 'GET /no HTTP/1.1'))
      socket.resume()
      await once(socket, 'close')
    }
    const client = await connect(url)
    expect(client.readyState).toBe(1)
  })
})

describe('maxConnectionsPerAddress', () => {
  const TOO_MANY = [429, '5', 'There are too many connections from this address\n']

  test('refuses further connections from one address, but not from others', async () => {
    const { server, port } = await runningServer({ maxConnectionsPerAddress: 2, trustProxy: 1 })
    const from = (address: string): Record<string, string> => ({ 'X-Forwarded-For': address })
    await openAsClient(port, from('1.1.1.1'))
    await openAsClient(port, from('1.1.1.1'))
    await openAsClient(port, from('2.2.2.2'))
    expect(summary(await refused(port, from('1.1.1.1')))).toEqual(TOO_MANY)
    await openAsClient(port, from('2.2.2.2'))
    expect(summary(await refused(port, from('2.2.2.2')))).toEqual(TOO_MANY)
    await endAll(server)
    await openAsClient(port, from('1.1.1.1'))
    expect(server.clients.size).toBe(1)
  })

  test("counts by the socket's address if no proxy is trusted", async () => {
    const { port } = await runningServer({ maxConnectionsPerAddress: 1 })
    await openAsClient(port, { 'X-Forwarded-For': '1.1.1.1' })
    expect(summary(await refused(port, { 'X-Forwarded-For': '2.2.2.2' }))).toEqual(TOO_MANY)
  })

  test('does not apply to a unix socket, which has no addresses', async () => {
    const unixPath = join(temporaryFolder(), 'socket')
    const server = new WebSocketServer({ unixPath, maxConnectionsPerAddress: 1 })
    await once(server, 'listening')
    const clients = [await connect(`ws+unix:${unixPath}`), await connect(`ws+unix:${unixPath}`)]
    expect(clients.map(({ readyState }) => readyState)).toEqual([1, 1])
    await server.shutdown()
  })

  test('is checked after maxConnections', async () => {
    const { port, url } = await runningServer({ maxConnections: 1, maxConnectionsPerAddress: 1 })
    await connect(url)
    expect((await refused(port)).status).toBe(503)
  })
})

test('runs the cheapest checks first: limits, origin, verifyClient, authenticate', async () => {
  const asked: string[] = []
  const { port } = await runningServer({
    maxConnections: 1,
    origins: (origin) => asked.push('origins') > 0 && origin !== 'https://evil.example',
    verifyClient: ({ req }) => asked.push('verifyClient') > 0 && req.url !== '/no',
    authenticate: () => {
      asked.push('authenticate')
      return anonymous
    },
  })
  const ask = async (fields: Record<string, string>, path = '/'): Promise<[number, string[]]> => {
    asked.length = 0
    const { status } = await exchange(port, handshakeText(fields, `GET ${path} HTTP/1.1`))
    return [status, [...asked]]
  }
  expect(await ask({ Origin: 'https://evil.example' })).toEqual([403, ['origins']])
  expect(await ask({ Origin: 'https://a.example' }, '/no')).toEqual([401, ['origins', 'verifyClient']])
  expect(await ask({}, '/no')).toEqual([401, ['verifyClient']])
  asked.length = 0
  await openAsClient(port, { Origin: 'https://a.example' })
  expect(asked).toEqual(['origins', 'verifyClient', 'authenticate'])
  expect(await ask({ Origin: 'https://evil.example' })).toEqual([503, []])
})
