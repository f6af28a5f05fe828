import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { type Anonymous, anonymous, connect, refuse, WebSocket, WebSocketServer } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled, until } from '../support/event-loop.js'
import { handshakeText, readAnswer } from '../support/http-exchange.js'
import { startHttp } from '../support/http-server.js'
import { openPair } from '../support/open-pair.js'
import { pausedClient } from '../support/paused-client.js'
import { Queue } from '../support/queue.js'
import { clientFrame, opcode } from '../support/raw-frame.js'
import { openAsClient } from '../support/raw-handshake.js'
import { runningServer } from '../support/running-server.js'
import { uncaught } from '../support/uncaught.js'

describe('shutdown()', () => {
  test('closes all connections with 1001, accepts no new ones, and returns the counts', async () => {
    const { server, url } = await runningServer()
    const clients = await Promise.all([1, 2, 3].map(() => connect(url)))
    const closes = clients.map(closeOf)
    const shutdown = server.shutdown()
    await expect(connect(url)).rejects.toThrow()
    expect(await shutdown).toEqual({ closed: 3, terminated: 0 })
    for (const close of await Promise.all(closes)) {
      expect(close).toMatchObject({ code: 1001, reason: '', wasClean: true, initiator: 'remote' })
    }
    expect(server.clients.size).toBe(0)
    expect(server.address()).toBeNull()
  })

  test('closes with a code and a reason', async () => {
    const { client, running } = await openPair()
    const close = closeOf(client)
    await running.server.shutdown({ code: 1012, reason: 'be right back' })
    expect(await close).toMatchObject({ code: 1012, reason: 'be right back' })
  })

  test('rejects a code that must not be sent, and keeps serving', async () => {
    const { client, running } = await openPair()
    await expect(running.server.shutdown({ code: 1005 })).rejects.toThrow(TypeError)
    await expect(running.server.shutdown({ reason: 'x'.repeat(124) })).rejects.toThrow(RangeError)
    await settled()
    expect(client.readyState).toBe(WebSocket.OPEN)
  })

  test('terminates peers that never answer or never read after the timeout', async () => {
    const { server, port, next } = await runningServer()
    const silent = await openAsClient(port)
    const stalled = await pausedClient(port)
    await next()
    const { socket } = await next()
    const client = await connect(`ws://127.0.0.1:${port}`)
    while (socket.send(Buffer.alloc(1_000_000)));
    expect(await server.shutdown({ timeout: 1000 })).toEqual({ closed: 1, terminated: 2 })
    expect(client.readyState).toBe(WebSocket.CLOSED)
    silent.peer.destroy()
    stalled.destroy()
  })

  test('ends incomplete handshakes and silent TCP connections after the timeout', async () => {
    const { server, port } = await runningServer()
    const half = connectSocket(port, '127.0.0.1')
    const mute = connectSocket(port, '127.0.0.1')
    const ends = [half, mute].map((socket) => once(socket, 'close'))
    for (const socket of [half, mute]) socket.on('error', () => {})
    await Promise.all([half, mute].map((socket) => once(socket, 'connect')))
    half.write('GET / HTTP/1.1\r\nHost: x\r\nUpgr')
    // The server has read the incomplete handshake once it has opened a later connection.
    const { peer } = await openAsClient(port)
    peer.destroy()
    await settled()
    expect(await server.shutdown({ timeout: 50 })).toEqual({ closed: 0, terminated: 0 })
    await Promise.all(ends)
  })

  test('aborts the checks of handshakes after the timeout', async () => {
    const checks = new Queue<AbortSignal>()
    const { server, port } = await runningServer({
      authenticate: (_request, { signal }) => {
        checks.push(signal)
        return new Promise<never>(() => {})
      },
    })
    const raw = connectSocket(port, '127.0.0.1')
    raw.on('error', () => {})
    raw.write(handshakeText())
    const aborted = once(await checks.next(), 'abort')
    await server.shutdown({ timeout: 20 })
    await aborted
    raw.destroy()
  })

  test('destroys the sockets of refused clients that do not read the response after the timeout', async () => {
    const { server, port } = await runningServer({
      authenticate: () => refuse(401, { body: 'x'.repeat(20_000_000) }),
      closeTimeout: Infinity,
    })
    const raw = connectSocket(port, '127.0.0.1')
    raw.on('error', () => {})
    raw.write(handshakeText())
    await until(() => server.stats().refused.application === 1)
    expect(await server.shutdown({ timeout: 20 })).toEqual({ closed: 0, terminated: 0 })
    raw.destroy()
  })

  test('responds with 503 to a handshake whose check ends meanwhile', async () => {
    const checks = new Queue<(user: Anonymous) => void>()
    const { server, port } = await runningServer({
      authenticate: () =>
        new Promise<Anonymous>((resolve) => {
          checks.push(resolve)
        }),
    })
    const raw = connectSocket(port, '127.0.0.1')
    raw.write(handshakeText())
    const admit = await checks.next()
    const shutdown = server.shutdown()
    admit(anonymous)
    const answer = await readAnswer(raw)
    expect(answer).toMatchObject({ status: 503, body: 'The server is shutting down\n' })
    expect(answer.fields.get('retry-after')).toBe('5')
    await shutdown
  })

  test('counts connections that were already closing, and can be called twice', async () => {
    const { client, socket, running } = await openPair()
    socket.close(4000)
    const [first, second] = await Promise.all([running.server.shutdown(), running.server.shutdown()])
    expect(first).toEqual({ closed: 1, terminated: 0 })
    expect(second).toEqual({ closed: 1, terminated: 0 })
    expect(client.readyState).toBe(WebSocket.CLOSED)
    expect(await running.server.shutdown()).toEqual({ closed: 0, terminated: 0 })
  })

  test('does not affect a shared http.Server and its other connections', async () => {
    const { http, port } = await startHttp()
    const server = new WebSocketServer({ server: http })
    const plain = connectSocket(port, '127.0.0.1')
    await once(plain, 'connect')
    const client = await connect(`ws://127.0.0.1:${port}`)
    expect(await server.shutdown()).toEqual({ closed: 1, terminated: 0 })
    expect(client.readyState).toBe(WebSocket.CLOSED)
    expect(http.listening).toBe(true)
    expect(plain.destroyed).toBe(false)
    plain.destroy()
  })
})

describe('shutdown() (F42)', () => {
  test('resolves after all send callbacks have run', async () => {
    const { server, port, next } = await runningServer({ perMessageDeflate: true })
    const offers = [{}, { 'Sec-WebSocket-Extensions': 'permessage-deflate' }]
    const stalled = await Promise.all(
      Array.from({ length: 20 }, (_, index) => pausedClient(port, offers[index % 2])),
    )
    let sent = 0
    let called = 0
    const message = randomBytes(100_000)
    for (let index = 0; index < stalled.length; index++) {
      const { socket } = await next()
      for (let count = 0; count < 100; count++) {
        sent++
        socket.send(message, () => called++)
      }
      socket.send(new Blob([message]), () => called++)
      sent++
    }
    expect(await server.shutdown({ timeout: 20 })).toEqual({ closed: 0, terminated: 20 })
    expect(called).toBe(sent)
    for (const raw of stalled) raw.destroy()
  })
})

describe('the options of shutdown() (F11)', () => {
  test('wait for the slowest peer with timeout: Infinity', async () => {
    const { server, port, next } = await runningServer()
    const { peer } = await openAsClient(port)
    const { socket } = await next()
    const shutdown = server.shutdown({ timeout: Infinity })
    expect((await peer.next())?.opcode).toBe(opcode.close)
    // Longer than the millisecond to which setTimeout changes Infinity.
    const clock = await runningServer({ heartbeat: { interval: 50, timeout: 1000 } })
    const [witness] = await Promise.all([connect(clock.url), clock.next()])
    await once(witness, 'ping')
    expect(socket.readyState).toBe(WebSocket.CLOSING)
    peer.write(clientFrame({ opcode: opcode.close, payload: Buffer.of(0x03, 0xe9) }))
    expect(await shutdown).toEqual({ closed: 1, terminated: 0 })
  })

  test.each([
    { timeout: 2 ** 31 },
    { timeout: '1' as unknown as number },
    { spread: Infinity, timeout: Infinity },
  ])('throw a RangeError for %j', async (options) => {
    const server = new WebSocketServer({ noServer: true })
    await expect(server.shutdown(options)).rejects.toThrow(RangeError)
  })
})

describe('the bookkeeping of a server (F41)', () => {
  test('does not depend on the listeners of its sockets', async () => {
    const { server, url, next } = await runningServer()
    const [client, { socket }] = await Promise.all([connect(url), next()])
    socket.removeAllListeners()
    const closed = new Promise((resolve) => {
      server.close(resolve)
    })
    client.close()
    expect(await closed).toBeUndefined()
    expect(server.clients.size).toBe(0)
    expect(server.stats()).toMatchObject({ connections: 0, terminated: {} })
  })

  test("does not depend on the listeners of its own 'close'", async () => {
    const lost = uncaught()
    const server = new WebSocketServer({ noServer: true })
    const failed = once(server, 'error')
    server.on('close', () => {
      throw new Error('a bug')
    })
    server.close()
    expect(await failed).toEqual([new Error('a bug')])
    expect(await new Promise((resolve) => server.close(resolve))).toBeInstanceOf(Error)
    expect(lost).toEqual([])
  })
})

describe('shutdown({ spread })', () => {
  test('closes the connections a few at a time, in random order', async () => {
    const { server, url, next } = await runningServer()
    const clients = await Promise.all(Array.from({ length: 60 }, () => connect(url)))
    const sockets = []
    while (sockets.length < clients.length) sockets.push((await next()).socket)
    const order: number[] = []
    for (const [index, socket] of sockets.entries()) socket.once('close', () => order.push(index))
    const shutdown = server.shutdown({ code: 1012, spread: 60 })
    expect(sockets.filter((socket) => socket.readyState !== WebSocket.OPEN)).toHaveLength(1)
    // An open connection receives messages until its turn.
    const last = sockets.find((socket) => socket.readyState === WebSocket.OPEN)!
    expect(last.send('goodbye')).toBe(true)
    expect(await shutdown).toEqual({ closed: 60, terminated: 0 })
    expect(order).toHaveLength(60)
    expect(order).not.toEqual(order.toSorted((one, other) => one - other))
  })

  test('counts connections that close before their turn', async () => {
    const { server, url, next } = await runningServer()
    const [first, second] = await Promise.all([connect(url), connect(url)])
    await next()
    await next()
    const shutdown = server.shutdown({ spread: 60_000, timeout: 120_000 })
    first.close()
    second.close()
    expect(await shutdown).toEqual({ closed: 2, terminated: 0 })
  })

  test('resolves at once without connections', async () => {
    const { server } = await runningServer()
    expect(await server.shutdown({ spread: 9000 })).toEqual({ closed: 0, terminated: 0 })
  })

  test.each([
    { spread: 10_000 },
    { spread: 20, timeout: 20 },
    { spread: -1 },
    { timeout: -1 },
    { timeout: Number.NaN },
  ])('throw a RangeError for %j', async (options) => {
    const { server } = await runningServer()
    await expect(server.shutdown(options)).rejects.toThrow(RangeError)
  })
})
