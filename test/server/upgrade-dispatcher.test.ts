import { EventEmitter, once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, WebSocketServer } from 'hubwire'
import { expect, test, vi } from 'vitest'
import { UpgradeDispatcher, type UpgradeOwner } from '#src/server/upgrade-dispatcher.js'
import { settled } from '../support/event-loop.js'
import { exchange, handshakeText } from '../support/http-exchange.js'
import { startHttp } from '../support/http-server.js'
import { refused } from '../support/refused.js'
import { requestWith } from '../support/request.js'
import { endWithTest } from '../support/running-server.js'
import { socketPair } from '../support/socket-pair.js'
import { uncaught } from '../support/uncaught.js'

function ownerOf(path: string, upgrades: string[]): UpgradeOwner {
  return {
    refusesOtherProtocols: false,
    closeTimeout: 30_000,
    owns: (request) => request.url === path,
    take: (_request, socket) => {
      upgrades.push(path)
      socket.on('error', () => {}).end('HTTP/1.1 101 Taken\r\n\r\n')
    },
    onListening: () => {},
    onError: () => false,
  }
}

test('uses one dispatcher per http.Server, with one listener while there are owners', async () => {
  const { http } = await startHttp()
  const dispatcher = UpgradeDispatcher.of(http)
  expect(UpgradeDispatcher.of(http)).toBe(dispatcher)
  const [one, two] = [ownerOf('/one', []), ownerOf('/two', [])]
  const counts = [http.listenerCount('upgrade')]
  for (const change of [
    (): void => {
      dispatcher.add(one)
    },
    (): void => {
      dispatcher.add(two)
    },
    (): void => {
      dispatcher.delete(one)
    },
    (): void => {
      dispatcher.delete(two)
    },
    (): void => {
      dispatcher.delete(two)
    },
  ]) {
    change()
    counts.push(http.listenerCount('upgrade'))
  }
  expect(counts).toEqual([0, 1, 1, 1, 0, 0])
})

test('gives a request to its first owner', async () => {
  const { http, port } = await startHttp()
  const upgrades: string[] = []
  const others: string[] = []
  UpgradeDispatcher.of(http).add(ownerOf('/a', upgrades))
  UpgradeDispatcher.of(http).add(ownerOf('/b', upgrades))
  UpgradeDispatcher.of(http).add(ownerOf('/b', others))
  await exchange(port, handshakeText({}, 'GET /b HTTP/1.1'))
  await exchange(port, handshakeText({}, 'GET /a HTTP/1.1'))
  expect([upgrades, others]).toEqual([['/b', '/a'], []])
})

test('leaves an upgrade without an owner to other listeners', async () => {
  const { http, port } = await startHttp()
  UpgradeDispatcher.of(http).add(ownerOf('/ours', []))
  http.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    if (request.url !== '/ours') socket.end(`HTTP/1.1 101 Theirs\r\n\r\n${request.headers.upgrade ?? ''}`)
  })
  expect((await exchange(port, handshakeText({}, 'GET /theirs HTTP/1.1'))).body).toBe('websocket')
  expect((await exchange(port, handshakeText({ Upgrade: 'h2c' }, 'GET /h2c HTTP/1.1'))).body).toBe('h2c')
})

test('responds with 500 if a path function throws, without asking other servers', async () => {
  const { http, port } = await startHttp()
  const failing = new WebSocketServer({
    server: http,
    path: () => {
      throw new Error('no idea')
    },
  })
  endWithTest(failing)
  const errors: string[] = []
  failing.on('error', (error) => errors.push(error.message))
  const upgrades: string[] = []
  UpgradeDispatcher.of(http).add(ownerOf('/', upgrades))
  expect(await refused(port)).toMatchObject({ status: 500 })
  expect(errors).toEqual(['no idea'])
  expect(upgrades).toEqual([])
})

test('responds with 500 if a path function throws in handleUpgrade()', async () => {
  const { http, port } = await startHttp()
  const server = new WebSocketServer({
    noServer: true,
    path: () => {
      throw new Error('no idea')
    },
  })
  endWithTest(server)
  const errors: string[] = []
  server.on('error', (error) => errors.push(error.message))
  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    server.handleUpgrade(request, socket, head, () => {})
  })
  expect(await refused(port)).toMatchObject({ status: 500 })
  expect(errors).toEqual(['no idea'])
})

test.each([
  ['has no owner', 'websocket'],
  ['is to another protocol', 'h2c'],
])('survives a client that resets during the answer to an upgrade that %s', async (_name, upgrade) => {
  const lost = uncaught()
  const { http } = await startHttp()
  UpgradeDispatcher.of(http).add(ownerOf('/ours', []))
  const { here } = await socketPair()
  const closed = new Promise((resolve) => here.once('close', resolve))
  http.emit('upgrade', requestWith({ url: '/', headers: { upgrade } }), here, Buffer.alloc(0))
  here.destroy(new Error('read ECONNRESET'))
  await closed
  await settled()
  expect(here.errored).toEqual(new Error('read ECONNRESET'))
  expect(lost).toEqual([])
})

test('serves WebSockets again after the http.Server closes and listens again', async () => {
  const { http, port } = await startHttp()
  const server = new WebSocketServer({ server: http })
  endWithTest(server)
  const listening = vi.fn()
  server.on('listening', listening)
  const first = await connect(`ws://127.0.0.1:${port}`)
  first.terminate()
  http.closeAllConnections()
  await new Promise((resolve) => http.close(resolve))
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const second = await connect(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`)
  expect([second.readyState, listening.mock.calls.length]).toEqual([1, 1])
})

test('passes upgrades through an emit() that another library has put in front of ours (F32)', async () => {
  const { http, port } = await startHttp()
  const upgrades: string[] = []
  const dispatcher = UpgradeDispatcher.of(http)
  const owner = ownerOf('/ours', upgrades)
  const seen: string[] = []
  const before = http.emit.bind(http)
  dispatcher.add(owner)
  const ours = http.emit.bind(http)
  http.emit = ((event: string, ...values: unknown[]) => {
    seen.push(event)
    return Reflect.apply(ours, http, [event, ...values]) as boolean
  }) as typeof http.emit
  dispatcher.delete(owner)
  dispatcher.add(owner)
  expect((await exchange(port, handshakeText({}, 'GET /ours HTTP/1.1'))).status).toBe(101)
  expect(upgrades).toEqual(['/ours'])
  expect(seen.filter((event) => event === 'upgrade')).toEqual(['upgrade'])
  http.emit = before
})

test('restores emit() when the last of our servers has left (F32)', async () => {
  const { http } = await startHttp()
  const before: unknown = Reflect.get(http, 'emit')
  const owner = ownerOf('/ours', [])
  UpgradeDispatcher.of(http).add(owner)
  expect(Reflect.get(http, 'emit')).not.toBe(before)
  expect(Object.hasOwn(http, 'emit')).toBe(true)
  UpgradeDispatcher.of(http).delete(owner)
  expect(Reflect.get(http, 'emit')).toBe(before)
  expect(Object.hasOwn(http, 'emit')).toBe(false)
})

test('restores an emit() that was replaced before ours (F32)', async () => {
  const { http } = await startHttp()
  const theirs = ((event: string, ...values: unknown[]) =>
    Reflect.apply(EventEmitter.prototype.emit, http, [event, ...values])) as typeof http.emit
  http.emit = theirs
  const owner = ownerOf('/ours', [])
  UpgradeDispatcher.of(http).add(owner)
  UpgradeDispatcher.of(http).delete(owner)
  expect(Reflect.get(http, 'emit')).toBe(theirs)
})

test('takes an upgrade once even if the original emit() has been restored (F32)', async () => {
  const { http, port } = await startHttp()
  const upgrades: string[] = []
  UpgradeDispatcher.of(http).add(ownerOf('/one', upgrades))
  UpgradeDispatcher.of(http).add(ownerOf('/two', upgrades))
  Reflect.deleteProperty(http, 'emit')
  await exchange(port, handshakeText({}, 'GET /two HTTP/1.1'))
  expect(upgrades).toEqual(['/two'])
})

test("shows other 'upgrade' listeners only upgrades that are not ours (F32)", async () => {
  const { http, port } = await startHttp()
  UpgradeDispatcher.of(http).add(ownerOf('/ours', []))
  const seen: string[] = []
  http.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    seen.push(request.url ?? '')
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  for (const path of ['/ours', '/theirs']) await exchange(port, handshakeText({}, `GET ${path} HTTP/1.1`))
  expect(seen).toEqual(['/theirs'])
})
