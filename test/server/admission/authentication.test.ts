import { once } from 'node:events'
import { createServer } from 'node:https'
import { type AddressInfo, connect as connectSocket, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import { connect, type Refusal, refuse, WebSocketServer, type WebSocketServerOptions } from 'hubwire'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { makeCertificate } from '../../support/certificate.js'
import { closeOf } from '../../support/close-of.js'
import { until } from '../../support/event-loop.js'
import { exchange, handshakeText, readHead } from '../../support/http-exchange.js'
import { inbox, take } from '../../support/inbox.js'
import { clientFrame, opcode } from '../../support/raw-frame.js'
import { openPair } from '../../support/open-pair.js'
import { Queue } from '../../support/queue.js'
import { openAsClient } from '../../support/raw-handshake.js'
import { expectComplete, refused } from '../../support/refused.js'
import { endWithTest, runningServer, type RunningServer } from '../../support/running-server.js'
import { uncaught } from '../../support/uncaught.js'
import { warningWith } from '../../support/warning.js'

/** A check whose result the test decides. */
interface Check {
  readonly signal: AbortSignal
  finish(user: string | Refusal): void
  fail(error: Error): void
}

async function waitingServer(
  options: Omit<WebSocketServerOptions<string>, 'authenticate'> = {},
): Promise<RunningServer<string> & { checks: Queue<Check> }> {
  const checks = new Queue<Check>()
  const running = await runningServer<string>({
    ...options,
    authenticate: (_request, { signal }) =>
      new Promise((finish, fail) => {
        checks.push({ signal, finish, fail })
      }),
  })
  return { ...running, checks }
}

function handshake(port: number): Socket {
  const socket = connectSocket(port, '127.0.0.1')
  // The test checks whether it is reset.
  socket.on('error', () => {})
  socket.write(handshakeText())
  return socket
}

describe('the result of authenticate', () => {
  test('becomes the user of the socket', async () => {
    const running = await runningServer<{ name: string }>({
      authenticate: (request) => ({ name: request.url ?? '' }),
    })
    const [, { socket }] = await Promise.all([connect(`${running.url}/ada`), running.next()])
    expect(socket.user).toEqual({ name: '/ada' })
  })

  test.each<[string, () => Refusal | Promise<Refusal>]>([
    ['returned', () => refuse(401, { headers: { 'WWW-Authenticate': 'Bearer' }, body: 'who?' })],
    [
      'thrown',
      () => {
        throw refuse(401, { headers: { 'WWW-Authenticate': 'Bearer' }, body: 'who?' })
      },
    ],
    [
      'the reason of a rejection',
      () => Promise.reject(refuse(401, { headers: { 'WWW-Authenticate': 'Bearer' }, body: 'who?' })),
    ],
  ])('is sent as the response if it is a refusal that is %s', async (_name, authenticate) => {
    const { server, port } = await runningServer({ authenticate })
    const connections = vi.fn()
    const errors = vi.fn()
    server.on('connection', connections).on('error', errors)
    const { status, body, fields } = await refused(port)
    expect([status, body, fields.get('www-authenticate')]).toEqual([401, 'who?', 'Bearer'])
    expect(connections).not.toHaveBeenCalled()
    expect(errors).not.toHaveBeenCalled()
  })

  test('is sent as a Close frame, which a page can read, if it is refuse.close()', async () => {
    const { server, url } = await runningServer({ authenticate: () => refuse.close(4401, 'who?') })
    const connections = vi.fn()
    server.on('connection', connections)
    const client = await connect(url)
    expect(await closeOf(client)).toMatchObject({ code: 4401, reason: 'who?', wasClean: true })
    expect(connections).not.toHaveBeenCalled()
    await server.shutdown()
    expect(server.clients.size).toBe(0)
  })

  test.each<[string, unknown, string]>([
    ['an Error', new Error('the database is down'), 'the database is down'],
    ['any other value', 'the database is down', 'the database is down'],
  ])("causes a 500 without details and an 'error' if %s is thrown", async (_name, thrown, message) => {
    const { server, port } = await runningServer({
      authenticate: () => Promise.reject(thrown as Error),
    })
    const errors: Error[] = []
    server.on('error', (error) => errors.push(error))
    const { status, body } = await refused(port)
    expect([status, body]).toEqual([500, 'The server failed to answer the handshake\n'])
    expect(errors.map((error) => error.message)).toEqual([message])
  })

  test("causes a process warning if it is an error and 'error' has no listener", async () => {
    const { port } = await runningServer({
      authenticate: () => {
        throw new Error('nobody hears this')
      },
    })
    const warned = warningWith('nobody hears this')
    expect(await refused(port)).toMatchObject({ status: 500 })
    expect((await warned).message).toBe('A handler failed: nobody hears this')
  })

  test("causes a process warning if an async 'error' listener rejects, and calls it once", async () => {
    const lost = uncaught()
    const { server, port } = await runningServer({
      authenticate: () => {
        throw new Error('first')
      },
    })
    const listener = vi.fn((_error: Error) => Promise.reject(new Error('the second failure')))
    // A loop would starve the event loop, and with it this test's own timeout.
    server.on('error', (error) => (listener.mock.calls.length > 10 ? undefined : listener(error)))
    const warned = warningWith('the second failure')
    expect(await refused(port)).toMatchObject({ status: 500 })
    expect((await warned).message).toBe('A handler failed: the second failure')
    expect(listener).toHaveBeenCalledTimes(1)
    expect(lost).toEqual([])
  })

  test('is not awaited longer than handshakeTimeout, which aborts the signal and answers with 503', async () => {
    const { port, checks, server } = await waitingServer({ handshakeTimeout: 500 })
    const errors = vi.fn()
    server.on('error', errors)
    const answer = exchange(port, handshakeText())
    const { signal, fail } = await checks.next()
    const { status, body } = expectComplete(await answer)
    expect([status, body]).toEqual([503, 'The handshake took too long\n'])
    expect(signal.aborted).toBe(true)
    // A later rejection of the check is neither reported nor unhandled.
    const lost = uncaught()
    fail(new Error('late'))
    await refusedOnceMore(port, checks)
    expect(lost).toEqual([])
    expect(errors).not.toHaveBeenCalled()
  })

  async function refusedOnceMore(port: number, checks: Queue<Check>): Promise<void> {
    const answer = exchange(port, handshakeText())
    const { finish } = await checks.next()
    finish(refuse(403))
    expect(await answer).toMatchObject({ status: 403 })
  }
})

describe('while authenticate runs', () => {
  test("keeps what the client sends, and delivers it after 'connection'", async () => {
    const { port, checks, next } = await waitingServer()
    const raw = handshake(port)
    raw.write(clientFrame({ opcode: opcode.text, payload: 'early' }))
    const { finish, signal } = await checks.next()
    raw.write(clientFrame({ opcode: opcode.text, payload: 'and more' }))
    raw.write(clientFrame({ opcode: opcode.ping, payload: 'there?' }))
    await openAsClientDenied(port, checks)
    finish('ada')
    const { socket } = await next()
    expect([socket.user, signal.aborted]).toEqual(['ada', false])
    expect(await take(inbox(socket), 2)).toEqual(['early', 'and more'])
    await readHead(raw)
    raw.destroy()
  })

  /** Completes another handshake, so that everything sent before it has arrived. */
  async function openAsClientDenied(port: number, checks: Queue<Check>): Promise<void> {
    const answer = exchange(port, handshakeText())
    const check = await checks.next()
    check.finish(refuse(403))
    await answer
  }

  test('applies backpressure to the client', async () => {
    const { port, checks, next } = await waitingServer()
    const raw = handshake(port)
    const { finish } = await checks.next()
    const frame = clientFrame({ opcode: opcode.binary, payload: Buffer.alloc(1000, 'x') })
    let written = 0
    // The client has to wait once the buffers of the kernel and the server are full.
    while (raw.writableLength < 1_000_000) {
      raw.write(frame)
      written++
      if (written % 64 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await openAsClientDenied(port, checks)
    expect(raw.writableLength).toBeGreaterThan(0)
    finish('ada')
    const { socket } = await next()
    const messages = await take(inbox(socket), written)
    expect(messages.every((message) => (message as Buffer).length === 1000)).toBe(true)
    raw.destroy()
  })

  test.each<[string, (raw: Socket) => void, (check: Check) => void]>([
    [
      'disconnects aborts the signal, and is not connected if the check then fails',
      (raw) => raw.destroy(),
      ({ signal, fail }) => fail(signal.reason as Error),
    ],
    [
      'resets the connection aborts the signal, and is not connected whatever the check returns',
      (raw) => raw.resetAndDestroy(),
      ({ finish }) => finish('ada'),
    ],
  ])('a client that %s', async (_name, leave, settle) => {
    const lost = uncaught()
    const { server, port, checks } = await waitingServer({ maxConnections: 1 })
    const heard = vi.fn()
    server.on('connection', heard).on('error', heard)
    const raw = handshake(port)
    const check = await checks.next()
    const aborted = once(check.signal, 'abort')
    leave(raw)
    await aborted
    settle(check)
    // Its place is free again once its socket is closed.
    let answer = exchange(port, handshakeText())
    for (;;) {
      const outcome = await Promise.race([checks.next(), answer])
      if ('finish' in outcome) {
        outcome.finish(refuse(403))
        break
      }
      expect(outcome.status).toBe(503)
      answer = exchange(port, handshakeText())
    }
    expect((await answer).status).toBe(403)
    expect(heard).not.toHaveBeenCalled()
    expect(server.clients.size).toBe(0)
    expect(lost).toEqual([])
  })

  test('aborts the signal if the client’s end arrives with its request', async () => {
    const certificate = makeCertificate()
    const https = createServer(certificate).listen(0, '127.0.0.1')
    await once(https, 'listening')
    onTestFinished(() => {
      https.close()
    })
    const checks = new Queue<AbortSignal>()
    const server = new WebSocketServer<string>({
      server: https,
      handshakeTimeout: 0,
      authenticate: async (_request, { signal }) => {
        const aborted = once(signal, 'abort')
        checks.push(signal)
        await aborted
        return refuse(403)
      },
    })
    endWithTest(server)
    const { port } = https.address() as AddressInfo
    const client = connectSecurely({ port, host: '127.0.0.1', ca: certificate.cert, servername: 'localhost' })
    client.on('error', () => {})
    await once(client, 'secureConnect')
    client.end(handshakeText())
    const signal = await checks.next()
    await until(() => signal.aborted)
    client.destroy()
  })

  test('reports a failing check once if the client resets meanwhile', async () => {
    const lost = uncaught()
    const { server, port, checks } = await waitingServer()
    const raw = handshake(port)
    const { signal, fail } = await checks.next()
    const errors = vi.fn()
    server.on('error', errors)
    const aborted = once(signal, 'abort')
    raw.resetAndDestroy()
    await aborted
    fail(new Error('aborted'))
    await openAsClientDenied(port, checks)
    expect(errors).not.toHaveBeenCalled()
    expect(lost).toEqual([])
  })

  test('answers with 503 if the check throws the reason of its signal', async () => {
    const { server, port } = await runningServer({
      handshakeTimeout: 500,
      authenticate: async (_request, { signal }) => {
        await once(signal, 'abort')
        throw signal.reason as Error
      },
    })
    const errors = vi.fn()
    server.on('error', errors)
    expect(await refused(port)).toMatchObject({ status: 503 })
    expect(errors).not.toHaveBeenCalled()
  })

  test('leaves no listener on the socket after the connection has opened', async () => {
    const { port, checks, next } = await waitingServer()
    const opening = openAsClient(port)
    const { finish, signal } = await checks.next()
    finish('ada')
    const [{ peer }, { socket, request }] = await Promise.all([opening, next()])
    const closed = closeOf(socket)
    const unchecked = await openPair()
    for (const event of ['readable', 'end', 'close', 'error', 'data']) {
      const count = request.socket.listenerCount(event)
      expect([event, count]).toEqual([event, unchecked.request.socket.listenerCount(event)])
    }
    peer.destroy()
    await closed
    expect(signal.aborted).toBe(false)
  })

  test("holds early messages while the 'connection' listener pauses the socket", async () => {
    const { server, port, checks } = await waitingServer()
    const seen = new Queue<string>()
    server.on('connection', (socket) => {
      socket.pause()
      socket.on('message', (data) => {
        seen.push(socket.isPaused ? 'too early' : (data as string))
      })
      setImmediate(() => {
        socket.resume()
      })
    })
    const raw = handshake(port)
    raw.write(clientFrame({ opcode: opcode.text, payload: 'early' }))
    const { finish } = await checks.next()
    await openAsClientDenied(port, checks)
    finish('ada')
    expect(await seen.next()).toBe('early')
    raw.destroy()
  })
})
