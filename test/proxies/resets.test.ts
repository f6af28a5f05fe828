import { once } from 'node:events'
import type { Server } from 'node:http'
import { connect as openSocket, type Socket } from 'node:net'
import {
  type Anonymous,
  anonymous,
  connect,
  WebSocket,
  WebSocketServer,
  type WebSocketServerOptions,
} from 'hubwire'
import { expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { failedAttempt } from '../support/failed-attempt.js'
import { handshakeText } from '../support/http-exchange.js'
import { startHttp } from '../support/http-server.js'
import { Queue } from '../support/queue.js'
import { endWithTest } from '../support/running-server.js'
import { uncaught } from '../support/uncaught.js'
import { resettingProxy } from './resetting-proxy.js'

interface Target {
  readonly http: Server
  readonly port: number
  readonly server: WebSocketServer
  /** Each TCP connection to it. */
  readonly sockets: Queue<Socket>
  /** Each WebSocket that it has accepted. */
  readonly accepted: WebSocket[]
}

async function target(options: WebSocketServerOptions = {}): Promise<Target> {
  const { http, port } = await startHttp()
  const sockets = new Queue<Socket>()
  const accepted: WebSocket[] = []
  http.on('connection', (socket) => {
    sockets.push(socket)
  })
  const server = new WebSocketServer({ server: http, ...options })
  server.on('connection', (socket) => accepted.push(socket as WebSocket))
  endWithTest(server)
  return { http, port, server, sockets, accepted }
}

/** Resolves when the socket is closed, even after an error. */
function closing(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => {
    socket.once('close', resolve)
  })
}

/** Expects that nothing is left of the proxy's connection, and that the next client is served. */
async function goesOn({ http, port, server, accepted }: Target, errors: unknown[]): Promise<void> {
  expect(server.clients.size).toBe(0)
  const open = await new Promise((resolve) => {
    http.getConnections((_error, count) => {
      resolve(count)
    })
  })
  expect(open).toBe(0)
  const before = accepted.length
  const client = await connect(`ws://127.0.0.1:${port}`)
  expect(accepted).toHaveLength(before + 1)
  const closed = closeOf(client)
  client.close(1000)
  expect(await closed).toMatchObject({ code: 1000, wasClean: true })
  expect(errors).toEqual([])
}

test('survives a proxy that resets during the request', async () => {
  const errors = uncaught()
  const to = await target()
  const proxy = await resettingProxy(to.port, { request: 40 })
  const failed = failedAttempt(new WebSocket(proxy.url))
  const socket = await to.sockets.next()
  await proxy.reached
  await settled()
  expect(socket.bytesRead).toBe(40)
  const closed = closing(socket)
  proxy.reset()
  await Promise.all([closed, failed])
  expect(to.accepted).toEqual([])
  await goesOn(to, errors)
})

test.each(['never answers', 'accepts it', 'fails'])(
  'survives a proxy that resets after the request, during a check that %s',
  async (what) => {
    const errors = uncaught()
    const reported = vi.fn()
    const signals = new Queue<AbortSignal>()
    const answers: { resolve(user: Anonymous): void; reject(error: Error): void }[] = []
    let isFirst = true
    const to = await target({
      authenticate: (_request, { signal }) => {
        if (!isFirst) return anonymous
        isFirst = false
        signals.push(signal)
        return new Promise<Anonymous>((resolve, reject) => {
          answers.push({ resolve, reject })
        })
      },
    })
    to.server.on('error', reported)
    const proxy = await resettingProxy(to.port)
    const failed = failedAttempt(new WebSocket(proxy.url))
    const [socket, signal] = [await to.sockets.next(), await signals.next()]
    const closed = closing(socket)
    proxy.reset()
    await Promise.all([closed, failed])
    expect(signal.aborted).toBe(true)
    if (what === 'accepts it') answers[0]!.resolve(anonymous)
    if (what === 'fails') answers[0]!.reject(new Error('The client has disconnected'))
    await settled()
    expect(to.accepted).toEqual([])
    await goesOn(to, errors)
  },
)

/** About half of the length of a handshake response. */
const HALF = 70

test('closes with 1006 if a proxy resets during the response', async () => {
  const errors = uncaught()
  const to = await target()
  const proxy = await resettingProxy(to.port, { response: HALF })
  const failed = failedAttempt(new WebSocket(proxy.url))
  const [socket] = (await once(to.server, 'connection')) as [WebSocket]
  await proxy.reached
  await settled()
  const closed = closeOf(socket)
  proxy.reset()
  const [{ code, wasClean, cause }] = await Promise.all([closed, failed])
  expect({ code, wasClean, cause }).toMatchObject({
    code: 1006,
    wasClean: false,
    cause: { code: 'ECONNRESET' },
  })
  await goesOn(to, errors)
})

test('closes both ends with 1006 if a proxy resets just after the response', async () => {
  const errors = uncaught()
  const to = await target()
  const proxy = await resettingProxy(to.port)
  const client = new WebSocket(proxy.url)
  const failures: Error[] = []
  client.on('error', (error) => failures.push(error))
  const [[socket]] = (await Promise.all([once(to.server, 'connection'), once(client, 'open')])) as [
    [WebSocket],
    unknown,
  ]
  const closes: unknown[] = []
  for (const end of [client, socket]) end.on('close', (...values) => closes.push(values))
  const closed = Promise.all([closeOf(client), closeOf(socket)])
  proxy.reset()
  await closed
  await settled()
  const reset = { wasClean: false, cause: { code: 'ECONNRESET' } }
  expect(closes).toMatchObject([
    [1006, '', reset],
    [1006, '', reset],
  ])
  expect(failures).toMatchObject([{ code: 'ECONNRESET' }])
  await goesOn(to, errors)
})

test('survives a proxy that forwards the request and resets at once', async () => {
  const errors = uncaught()
  const to = await target()
  // This message is written to a connection that has been reset.
  to.server.on('connection', (socket) => socket.send('x'.repeat(100_000)))
  for (let round = 0; round < 5; round++) {
    const proxy = await resettingProxy(to.port, { request: handshakeText().length })
    const raw = openSocket(Number(new URL(proxy.url).port), '127.0.0.1')
    raw.on('error', () => {})
    raw.write(handshakeText())
    const [socket] = await Promise.all([to.sockets.next(), proxy.reached])
    const closed = closing(socket)
    proxy.reset()
    await closed
  }
  await goesOn(to, errors)
})
