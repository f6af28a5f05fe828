import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect, type Diagnostics, ProtocolError, WebSocket } from 'hubwire'
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

/** What is published on a channel as long as the test lasts. */
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

describe('the channels of node:diagnostics_channel', () => {
  test('are these six, and nobody listens by default', () => {
    expect(Object.values(channels).map(({ name, hasSubscribers }) => [name, hasSubscribers])).toEqual([
      ['hubwire:connection', false],
      ['hubwire:message', false],
      ['hubwire:close', false],
      ['hubwire:error', false],
      ['hubwire:refused', false],
      ['hubwire:backpressure', false],
    ])
  })

  test('connection: both ends, the server with the request', async () => {
    const connections = published('hubwire:connection')
    const { client, socket, request } = await openPair()
    expect(connections).toHaveLength(2)
    expect(connections.find((message) => message.socket === socket)).toEqual({ socket, request })
    expect(connections.find((message) => message.socket === client)).toEqual({ socket: client })
  })

  test('message: before its listeners have it', async () => {
    const messages = published('hubwire:message')
    const { client, socket } = await openPair()
    const heard: number[] = []
    socket.on('message', () => heard.push(messages.length))
    client.send('text')
    client.send(Buffer.from([1, 2]))
    await once(socket, 'message')
    while (heard.length < 2) await once(socket, 'message')
    expect(messages).toEqual([
      { socket, data: 'text', isBinary: false },
      { socket, data: Buffer.from([1, 2]), isBinary: true },
    ])
    expect(heard).toEqual([1, 2])
  })

  test('close: with all that the event has', async () => {
    const closes = published('hubwire:close')
    const { client, socket } = await openPair()
    const [theirs, ours] = [closeOf(socket), closeOf(client)]
    client.close(4000, 'enough')
    await Promise.all([theirs, ours])
    const details = { wasClean: true, initiator: 'remote', cause: undefined, dropped: 0 }
    expect(closes.find((message) => message.socket === socket)).toEqual({
      socket,
      code: 4000,
      reason: 'enough',
      details,
    })
    expect(closes).toHaveLength(2)
  })

  test("error: a peer's, also where nobody listens for 'error', and an attempt's", async () => {
    const errors = published('hubwire:error')
    const { port, next } = await runningServer()
    const { peer } = await openAsClient(port)
    const { socket } = await next()
    peer.write(peer.encode({ opcode: 3, payload: Buffer.alloc(0), fin: true, rsv: 0 }))
    await closeOf(socket)
    expect(errors).toEqual([{ socket, error: expect.any(ProtocolError) as Error }])
    const { http, port: other } = await startHttp()
    http.on('request', (_request, response) => response.writeHead(404).end())
    const client = new WebSocket(`ws://127.0.0.1:${other}`)
    await closeOf(client)
    expect(errors).toHaveLength(2)
    expect(errors[1]!.socket).toBe(client)
    expect(errors[1]!.error.message).toContain('404')
  })

  test('refused: by a server, and where no server owns the path', async () => {
    const refusals = published('hubwire:refused')
    const { port } = await runningServer({ path: '/here' })
    await refused(port)
    await refused(port, { Origin: 'http://elsewhere.example' }, 'GET /here HTTP/1.1')
    expect(refusals.map(({ status, reason }) => [status, reason])).toEqual([
      [404, 'path'],
      [403, 'origin'],
    ])
    expect(refusals[1]!.request.headers.origin).toBe('http://elsewhere.example')
  })

  test("backpressure: once until 'drain'", async () => {
    const pressures = published('hubwire:backpressure')
    const { port, next } = await runningServer()
    const stalled = await pausedClient(port)
    const { socket } = await next()
    while (socket.send(Buffer.alloc(1_000_000)));
    const waiting = socket.bufferedAmount
    expect(pressures).toEqual([{ socket, bufferedAmount: waiting }])
    expect(socket.send('more')).toBe(false)
    expect(pressures).toHaveLength(1)
    const drained = once(socket, 'drain')
    stalled.resume()
    await drained
    while (socket.send(Buffer.alloc(1_000_000)));
    expect(pressures).toHaveLength(2)
    stalled.destroy()
  })

  test('a subscriber changes nothing for those who listen', async () => {
    published('hubwire:message')
    const { client, socket } = await openPair()
    socket.binaryType = 'arraybuffer'
    const heard = inbox(socket)
    client.send(Buffer.from('octets'))
    expect(await heard.next()).toEqual(new Uint8Array(Buffer.from('octets')).buffer)
    await expect(connect('ws://127.0.0.1:1')).rejects.toThrow()
  })
})
