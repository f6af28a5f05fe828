import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect, type Diagnostics, ProtocolError, WebSocket, WebSocketServer } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { channels } from '#src/connection/diagnostics.js'
import { closeOf } from '../support/close-of.js'
import { startHttp } from '../support/http-server.js'
import { inbox } from '../support/inbox.js'
import { openPair } from '../support/open-pair.js'
import { pausedClient } from '../support/paused-client.js'
import { refused } from '../support/refused.js'
import { openAsClient } from '../support/raw-handshake.js'
import { runningServer } from '../support/running-server.js'

/** Collects what is published on a channel during the test. */
function published<Name extends keyof Diagnostics>(name: Name): Diagnostics[Name][] {
  const messages: Diagnostics[Name][] = []
  const listener = (message: unknown): void => {
    messages.push(message as Diagnostics[Name])
  }
  subscribe(name, listener)
  onTestFinished(() => {
    unsubscribe(name, listener)
  })
  return messages
}

/** The messages of these sockets: test files of a worker share the channels, and sockets of other tests may end late. */
function of<Message extends { readonly socket: object }>(
  messages: readonly Message[],
  ...sockets: object[]
): Message[] {
  return messages.filter(({ socket }) => sockets.includes(socket))
}

describe('the channels of node:diagnostics_channel', () => {
  test('exist for six events and have no subscribers by default', () => {
    expect(Object.values(channels).map(({ name, hasSubscribers }) => [name, hasSubscribers])).toEqual([
      ['hubwire:connection', false],
      ['hubwire:message', false],
      ['hubwire:close', false],
      ['hubwire:error', false],
      ['hubwire:refused', false],
      ['hubwire:backpressure', false],
    ])
  })

  test("publish 'connection' at both ends, with the request at the server", async () => {
    const connections = published('hubwire:connection')
    const { running, client, socket, request } = await openPair()
    const { server } = running
    expect(of(connections, socket)).toEqual([{ socket, request, server }])
    expect(of(connections, client)).toEqual([{ socket: client }])
  })

  test("publish 'message' before its listeners are called", async () => {
    const messages = published('hubwire:message')
    const { client, socket } = await openPair()
    const heard: number[] = []
    socket.on('message', () => heard.push(of(messages, socket).length))
    client.send('text')
    client.send(Buffer.from([1, 2]))
    await once(socket, 'message')
    while (heard.length < 2) await once(socket, 'message')
    expect(of(messages, socket)).toMatchObject([
      { socket, data: 'text', isBinary: false },
      { socket, data: Buffer.from([1, 2]), isBinary: true },
    ])
    expect(heard).toEqual([1, 2])
  })

  test("publish 'close' with the details of the event, while other sockets close (F36)", async () => {
    const closes = published('hubwire:close')
    const { client, socket } = await openPair()
    const other = await openPair()
    const otherClosed = closeOf(other.socket)
    other.client.close()
    await otherClosed
    const [theirs, ours] = [closeOf(socket), closeOf(client)]
    client.close(4000, 'enough')
    await Promise.all([theirs, ours])
    const details = { wasClean: true, initiator: 'remote', cause: undefined, dropped: 0 }
    const close = { code: 4000, reason: 'enough' }
    expect(of(closes, socket)).toMatchObject([{ ...close, socket, details }])
    expect(of(closes, client)).toEqual([
      { ...close, socket: client, details: { ...details, initiator: 'local' } },
    ])
  })

  test("publish 'error' for connections without a listener and for failed attempts", async () => {
    const errors = published('hubwire:error')
    const { port, next } = await runningServer()
    const { peer } = await openAsClient(port)
    const { socket } = await next()
    peer.write(peer.encode({ opcode: 3, payload: Buffer.alloc(0), fin: true, rsv: 0 }))
    await closeOf(socket)
    expect(of(errors, socket)).toMatchObject([{ socket, error: expect.any(ProtocolError) as Error }])
    const { http, port: other } = await startHttp()
    http.on('request', (_request, response) => response.writeHead(404).end())
    const client = new WebSocket(`ws://127.0.0.1:${other}`)
    await closeOf(client)
    const ours = of(errors, client)
    expect(ours).toHaveLength(1)
    expect(ours[0]!.error.message).toContain('404')
  })

  test("publish 'refused' with the status and the reason", async () => {
    const refusals = published('hubwire:refused')
    const { port } = await runningServer({ path: '/here' })
    const own = { 'X-Port': String(port) }
    await refused(port, own)
    await refused(port, { ...own, Origin: 'http://elsewhere.example' }, 'GET /here HTTP/1.1')
    const ours = refusals.filter(({ request }) => request.headers['x-port'] === String(port))
    expect(ours.map(({ status, reason }) => [status, reason])).toEqual([
      [404, 'path'],
      [403, 'origin'],
    ])
    expect(ours[1]!.request.headers.origin).toBe('http://elsewhere.example')
  })

  test("publish 'backpressure' once until 'drain'", async () => {
    const pressures = published('hubwire:backpressure')
    const { port, next } = await runningServer()
    const stalled = await pausedClient(port)
    const { socket } = await next()
    while (socket.send(Buffer.alloc(1_000_000)));
    const waiting = socket.bufferedAmount
    expect(of(pressures, socket)).toMatchObject([{ socket, bufferedAmount: waiting }])
    expect(socket.send('more')).toBe(false)
    expect(of(pressures, socket)).toHaveLength(1)
    const drained = once(socket, 'drain')
    stalled.resume()
    await drained
    while (socket.send(Buffer.alloc(1_000_000)));
    expect(of(pressures, socket)).toHaveLength(2)
    stalled.destroy()
  })

  test('do not change what listeners receive', async () => {
    published('hubwire:message')
    const { client, socket } = await openPair()
    socket.binaryType = 'arraybuffer'
    const heard = inbox(socket)
    client.send(Buffer.from('bytes'))
    expect(await heard.next()).toEqual(new Uint8Array(Buffer.from('bytes')).buffer)
    await expect(connect('ws://127.0.0.1:1')).rejects.toThrow()
  })

  test('name the server of a connection, and none for a client (N11)', async () => {
    const names = ['connection', 'message', 'error', 'close', 'backpressure'] as const
    const messages = names.map((name) => published(`hubwire:${name}`))
    const pairs = [await openPair(), await openPair()] as const
    for (const { running, client, socket } of pairs) {
      running.server.on('error', () => undefined)
      client.on('message', () => undefined)
      while (socket.send(Buffer.alloc(1_000_000)));
      socket.on('message', () => {
        throw new Error('a bug')
      })
      const closed = closeOf(socket)
      client.send('hello')
      await closed
    }
    for (const [index, name] of names.entries()) {
      for (const { running, client, socket } of pairs) {
        const ofSocket = of(messages[index]!, socket)
        expect(ofSocket.length, name).toBeGreaterThan(0)
        for (const message of ofSocket) expect(message.server, name).toBe(running.server)
        for (const message of of(messages[index]!, client)) expect(message.server, name).toBeUndefined()
      }
    }
  })

  test('name the server that refused, and none for a path without a server (N11)', async () => {
    const refusals = published('hubwire:refused')
    const { http, port } = await startHttp()
    const [one, other] = ['/one', '/other'].map((path) => new WebSocketServer({ server: http, path }))
    const own = { 'X-Port': String(port), Origin: 'http://elsewhere.example' }
    for (const path of ['/one', '/other', '/nowhere']) await refused(port, own, `GET ${path} HTTP/1.1`)
    const ours = refusals.filter(({ request }) => request.headers['x-port'] === String(port))
    expect(ours.map(({ server }) => server)).toEqual([one, other, undefined])
  })
})
