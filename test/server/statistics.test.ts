import { once } from 'node:events'
import { connect, Hub, refuse } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { turn } from '../support/event-loop.js'
import { inbox, take } from '../support/inbox.js'
import { openPair } from '../support/open-pair.js'
import { pausedClient } from '../support/paused-client.js'
import { opcode } from '../support/raw-frame.js'
import { openAsClient } from '../support/raw-handshake.js'
import { refused } from '../support/refused.js'
import { runningServer } from '../support/running-server.js'

describe('stats()', () => {
  test('starts at zero', async () => {
    const { server } = await runningServer()
    expect(server.stats()).toEqual({
      connections: 0,
      accepted: 0,
      messages: { received: 0, sent: 0 },
      bytes: { received: 0, sent: 0 },
      bufferedAmount: 0,
      refused: {},
      terminated: {},
      failedHandlers: 0,
    })
  })

  test('counts open connections and accepted ones', async () => {
    const { server, url, next } = await runningServer()
    const clients = await Promise.all([1, 2, 3].map(() => connect(url)))
    const { socket } = await next()
    expect(server.stats()).toMatchObject({ connections: 3, accepted: 3 })
    const closed = closeOf(socket)
    clients[0]!.close()
    await closed
    expect(server.stats()).toMatchObject({ connections: 2, accepted: 3, terminated: {} })
  })

  test('counts complete messages each way, and broadcasts once for each member', async () => {
    const { server, url, next } = await runningServer()
    const hub = new Hub()
    const clients = await Promise.all([connect(url), connect(url)])
    const sockets = [(await next()).socket, (await next()).socket]
    for (const socket of sockets) hub.group('all').add(socket)
    const heard = sockets.map(inbox)
    clients[0].send('a')
    clients[0].send('b', { fin: false })
    clients[0].send('c')
    clients[1].send(Buffer.alloc(70_000))
    clients[1].ping()
    await Promise.all([take(heard[0]!, 2), take(heard[1]!, 1)])
    sockets[0]!.send('in ', { fin: false })
    sockets[0]!.send('two')
    sockets[1]!.send(new Blob(['blob']))
    hub.broadcast('all', 'both')
    expect(server.stats().messages).toEqual({ received: 3, sent: 4 })
  })

  test('counts the bytes of the sockets, including those that have closed', async () => {
    const { server, port, next } = await runningServer()
    const { peer } = await openAsClient(port)
    const { socket } = await next()
    const before = server.stats().bytes
    // Only bytes of frames count. The opening handshake is HTTP.
    expect(before).toEqual({ received: 0, sent: 0 })
    const heard = once(socket, 'message')
    peer.write(peer.encode({ opcode: opcode.text, payload: Buffer.from('hello'), fin: true, rsv: 0 }))
    await heard
    socket.send('hello!')
    await peer.next()
    const between = { received: before.received + 2 + 4 + 5, sent: before.sent + 2 + 6 }
    expect(server.stats().bytes).toEqual(between)
    const closed = closeOf(socket)
    peer.write(peer.encode({ opcode: opcode.close, payload: Buffer.alloc(0), fin: true, rsv: 0 }))
    await closed
    expect(server.stats().bytes).toEqual({ received: between.received + 6, sent: between.sent + 2 })
  })

  test('adds up the bytes that are queued for slow peers', async () => {
    const { server, port, next } = await runningServer()
    const stalled = await pausedClient(port)
    const { socket } = await next()
    while (socket.send(Buffer.alloc(1_000_000)));
    expect(server.stats().bufferedAmount).toBe(socket.bufferedAmount)
    expect(socket.bufferedAmount).toBeGreaterThan(0)
    stalled.destroy()
  })

  test('counts refusals by reason', async () => {
    const { server, port, url } = await runningServer<string>({
      path: '/',
      maxConnections: 2,
      maxConnectionsPerAddress: 1,
      handshakeTimeout: 500,
      authenticate: (request) => {
        const { token } = request.headers
        if (token === 'bad') throw refuse(401)
        if (token === 'close') return refuse.close(4401)
        if (token === 'bug') throw new Error('a bug')
        if (token === 'late') return new Promise<string>(() => {})
        return 'somebody'
      },
    })
    server.on('error', () => {})
    const status = async (fields: Record<string, string | undefined>, line?: string): Promise<number> =>
      (await refused(port, fields, line)).status
    expect(await status({}, 'GET /elsewhere HTTP/1.1')).toBe(404)
    expect(await status({ 'Sec-WebSocket-Key': 'short' })).toBe(400)
    expect(await status({ 'Sec-WebSocket-Version': '7' })).toBe(426)
    expect(await status({ Origin: 'http://elsewhere.example' })).toBe(403)
    expect(await status({ token: 'bad' })).toBe(401)
    expect(await status({ token: 'bug' })).toBe(500)
    expect(await status({ token: 'late' })).toBe(503)
    expect(await closeOf(await connect(url, { headers: { token: 'close' } }))).toMatchObject({ code: 4401 })
    await connect(url)
    expect(await status({})).toBe(429)
    const { refused: counts, accepted } = server.stats()
    // The connection that 'close' refused was accepted first.
    expect(accepted).toBe(2)
    expect(counts).toEqual({
      path: 1,
      handshake: 2,
      origin: 1,
      application: 2,
      error: 1,
      handshakeTimeout: 1,
      maxConnectionsPerAddress: 1,
    })
  })

  test('counts refusals beyond maxConnections', async () => {
    const { server, port, url } = await runningServer({ maxConnections: 1 })
    const { peer } = await openAsClient(port)
    await expect(connect(url)).rejects.toThrow('503')
    expect(server.stats().refused).toEqual({ maxConnections: 1 })
    const shutdown = server.shutdown()
    expect((await peer.next())?.opcode).toBe(opcode.close)
    peer.destroy()
    await shutdown
  })

  test('counts connections that ended without a closing handshake by cause', async () => {
    const { server, port, next } = await runningServer({ closeTimeout: 20, maxBufferedAmount: 100_000 })
    const open = async (): ReturnType<typeof openAsClient> => {
      return openAsClient(port)
    }
    const ended = async (): Promise<unknown> => closeOf((await next()).socket)

    const broken = await open()
    let end = ended()
    broken.peer.write(broken.peer.encode({ opcode: 3, payload: Buffer.alloc(0), fin: true, rsv: 0 }))
    await end

    const left = await open()
    end = ended()
    left.peer.end()
    await end

    await open()
    const terminated = (await next()).socket
    terminated.terminate()
    await closeOf(terminated)

    await open()
    const silent = (await next()).socket
    silent.close()
    await closeOf(silent)

    const stalled = await pausedClient(port)
    const slow = (await next()).socket
    const slowEnd = closeOf(slow)
    for (let count = 0; count < 1000 && slow.readyState === 1; count++) {
      // Only what was queued in an earlier turn counts against a peer.
      slow.send(Buffer.alloc(100_000))
      await turn()
    }
    await slowEnd
    stalled.destroy()

    expect(server.stats()).toMatchObject({
      connections: 0,
      accepted: 5,
      terminated: { WS_ERR_INVALID_OPCODE: 1, none: 2, WS_ERR_CLOSE_TIMEOUT: 1, WS_ERR_SLOW_PEER: 1 },
    })
  })

  test('counts with clientTracking: false too', async () => {
    const { running, client, socket } = await openPair({ server: { clientTracking: false } })
    const heard = inbox(socket)
    client.send('a')
    await heard.next()
    expect(running.server.stats()).toMatchObject({ connections: 1, messages: { received: 1, sent: 0 } })
  })
})
