import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { connect, ProtocolError, WebSocket } from 'hubwire'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { handshakeText } from '../support/http-exchange.js'
import { inbox } from '../support/inbox.js'
import { memoryPair } from '../support/memory-pair.js'
import { openPair, type OpenPair } from '../support/open-pair.js'
import { pausedClient } from '../support/paused-client.js'
import { clientFrame, opcode } from '../support/raw-frame.js'
import { openAsClient } from '../support/raw-handshake.js'
import { RawPeer } from '../support/raw-peer.js'
import { runningServer } from '../support/running-server.js'
import { acceptance, scriptedServer } from '../support/scripted-server.js'
import { thrownBy, webError } from '../support/web-error.js'

/** Both roles: the end that acts, and its peer. */
const roles: [string, (pair: OpenPair) => [WebSocket, WebSocket]][] = [
  ['client', ({ client, socket }) => [client, socket]],
  ['server', ({ client, socket }) => [socket, client]],
]

describe.each(roles)('close() at the %s', (role, ends) => {
  test.each([
    [undefined, undefined, 1005, ''],
    [1000, undefined, 1000, ''],
    [1000, 'done', 1000, 'done'],
    [1001, '', 1001, ''],
    [1014, 'ü'.repeat(61), 1014, 'ü'.repeat(61)],
    [3000, 'x'.repeat(123), 3000, 'x'.repeat(123)],
    [4999, Buffer.from('bytes'), 4999, 'bytes'],
  ])('sends the code %j and the reason %j', async (code, reason, expectedCode, expectedReason) => {
    const [near, far] = ends(await openPair())
    const closes = Promise.all([closeOf(near), closeOf(far)])
    near.close(code, reason)
    expect(near.readyState).toBe(WebSocket.CLOSING)
    const [nearClose, farClose] = await closes
    const end = { code: expectedCode, reason: expectedReason, wasClean: true, cause: undefined, dropped: 0 }
    expect(nearClose).toEqual({ ...end, initiator: 'local' })
    expect(farClose).toEqual({ ...end, initiator: 'remote' })
    expect([near.readyState, far.readyState]).toEqual([WebSocket.CLOSED, WebSocket.CLOSED])
  })

  test('delivers what was sent before it', async () => {
    const [near, far] = ends(await openPair())
    const messages: unknown[] = []
    far.on('message', (data) => messages.push(data))
    near.send('one')
    near.send(Buffer.alloc(100_000))
    near.send('three')
    near.close()
    await closeOf(far)
    expect([messages[0], (messages[1] as Buffer).length, messages[2]]).toEqual(['one', 100_000, 'three'])
  })

  test('still delivers what the peer sends before it receives the Close frame', async () => {
    const [near, far] = ends(await openPair())
    const messages = inbox(near)
    near.close()
    far.send('crossed')
    expect(await messages.next()).toBe('crossed')
  })

  test("emits 'close' once, in whatever order the ends call close() and terminate()", async () => {
    const [near, far] = ends(await openPair())
    const events: string[] = []
    near.on('close', (code) => events.push(`near ${code}`))
    far.on('close', (code) => events.push(`far ${code}`))
    const closes = Promise.all([closeOf(near), closeOf(far)])
    near.close(4000)
    near.close(4001)
    far.close(4002)
    await closes
    near.close()
    far.terminate()
    near.terminate()
    await settled()
    expect(events.sort()).toEqual(['far 4000', 'near 4002'])
  })

  test('completes when both ends close at the same time', async () => {
    const [near, far] = ends(await openPair())
    const closes = Promise.all([closeOf(near), closeOf(far)])
    near.close(4000, 'near')
    far.close(4001, 'far')
    const [nearClose, farClose] = await closes
    expect(nearClose).toEqual({
      code: 4001,
      reason: 'far',
      wasClean: true,
      initiator: 'local',
      cause: undefined,
      dropped: 0,
    })
    expect(farClose).toEqual({
      code: 4000,
      reason: 'near',
      wasClean: true,
      initiator: 'local',
      cause: undefined,
      dropped: 0,
    })
  })

  test('is replaced by terminate(), which ends the connection with 1006 at both ends', async () => {
    const [near, far] = ends(await openPair())
    const closes = Promise.all([closeOf(near), closeOf(far)])
    near.terminate()
    near.terminate()
    const [nearClose, farClose] = await closes
    expect(nearClose).toEqual({
      code: 1006,
      reason: '',
      wasClean: false,
      initiator: 'local',
      cause: undefined,
      dropped: 0,
    })
    expect(farClose).toMatchObject({ code: 1006, reason: '', wasClean: false, initiator: 'remote' })
  })

  test('can be followed by terminate()', async () => {
    const [near] = ends(await openPair())
    const closed = closeOf(near)
    near.close(1000)
    near.terminate()
    expect(await closed).toMatchObject({ code: 1006, wasClean: false, initiator: 'local' })
  })

  test("delivers nothing after terminate() within 'message'", async () => {
    const [near, far] = ends(await openPair())
    const messages: unknown[] = []
    near.on('message', (data) => {
      messages.push(data)
      near.terminate()
    })
    far.send('one')
    far.send('two')
    await closeOf(near)
    await settled()
    expect(messages).toEqual(['one'])
  })

  test("may be called within 'message', and send() within 'close'", async () => {
    const [near, far] = ends(await openPair())
    near.on('message', () => {
      near.close(4000)
    })
    const failure = new Promise((resolve) => {
      near.on('close', () => {
        expect(near.send('too late', resolve)).toBe(false)
        near.ping()
        near.close()
        near.terminate()
      })
    })
    far.send('x')
    far.send('y')
    expect((await closeOf(far)).code).toBe(4000)
    expect(await failure).toEqual(new Error('WebSocket is not open: readyState 3 (CLOSED)'))
  })

  test.each([
    [999, undefined, TypeError],
    [1004, undefined, TypeError],
    [1005, undefined, TypeError],
    [1006, undefined, TypeError],
    [1015, undefined, TypeError],
    [2999, undefined, TypeError],
    [5000, undefined, TypeError],
    [1000.5, undefined, TypeError],
    [NaN, undefined, TypeError],
    [undefined, 'a reason without a code', TypeError],
    [1000, 'x'.repeat(124), RangeError],
    [1000, 'ü'.repeat(62), RangeError],
  ])(
    'throws for the code %j and the reason %j, and leaves the connection open',
    async (code, reason, type) => {
      const [near, far] = ends(await openPair())
      // The DOMExceptions that WHATWG prescribes for these mistakes.
      const name = type === TypeError ? 'InvalidAccessError' : 'SyntaxError'
      const expected: unknown = role === 'server' ? expect.any(type) : webError(name)
      expect(thrownBy(() => near.close(code, reason))).toEqual(expected)
      near.send('still open')
      expect(await once(far, 'message')).toEqual(['still open', false])
    },
  )
})

describe('a connection', () => {
  test("echoes the code and reason of the peer's Close frame, then ends", async () => {
    const { port } = await runningServer()
    const { peer } = await openAsClient(port)
    const payload = Buffer.concat([Buffer.from([0x0f, 0xa0]), Buffer.from('bye')])
    peer.write(peer.encode({ opcode: opcode.close, payload, fin: true, rsv: 0 }))
    expect(await peer.next()).toMatchObject({ opcode: opcode.close, payload })
    expect(await peer.next()).toBeUndefined()
  })

  test('answers a Close frame without a code without a code', async () => {
    const { port } = await runningServer()
    const { peer } = await openAsClient(port)
    peer.write(peer.encode({ opcode: opcode.close, payload: Buffer.alloc(0), fin: true, rsv: 0 }))
    expect(await peer.next()).toMatchObject({ opcode: opcode.close, payload: Buffer.alloc(0) })
    expect(await peer.next()).toBeUndefined()
  })

  test('ignores what the peer sends after its Close frame', async () => {
    const { socket, clientEnd } = await memoryPair()
    const messages = vi.fn()
    socket.on('message', messages)
    clientEnd.write(
      Buffer.concat([
        clientFrame({ opcode: opcode.close, payload: Buffer.of(0x03, 0xe8) }),
        clientFrame({ opcode: opcode.text, payload: 'late' }),
      ]),
    )
    await closeOf(socket)
    expect(messages).not.toHaveBeenCalled()
  })

  test('closes with 1006 after closeTimeout if the peer never answers the Close frame', async () => {
    const { port, next } = await runningServer({ closeTimeout: 20 })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    socket.close(1000)
    expect(await closeOf(socket)).toEqual({
      code: 1006,
      reason: '',
      wasClean: false,
      initiator: 'local',
      cause: expect.objectContaining({ name: 'ConnectionError', code: 'WS_ERR_CLOSE_TIMEOUT' }) as Error,
      dropped: 0,
    })
    expect(await peer.next()).toMatchObject({ opcode: opcode.close })
  })

  test('closes cleanly after closeTimeout if the peer keeps the TCP connection open after the Close frames', async () => {
    const { port, next } = await runningServer({ closeTimeout: 20 })
    const raw = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true })
    raw.on('error', () => {})
    raw.write(handshakeText())
    const { socket } = await next()
    const closed = closeOf(socket)
    raw.resume()
    raw.write(clientFrame({ opcode: opcode.close, payload: Buffer.of(0x03, 0xe8) }))
    await once(raw, 'end')
    expect(await closed).toMatchObject({ code: 1000, wasClean: true, initiator: 'remote' })
    raw.destroy()
  })

  test('closes with 1006 after closeTimeout if the peer never reads', async () => {
    const { port, next } = await runningServer({ closeTimeout: 20 })
    const [peer, { socket }] = await Promise.all([pausedClient(port), next()])
    while (socket.send(Buffer.alloc(1_000_000)));
    socket.close(1000)
    expect(await closeOf(socket)).toMatchObject({ code: 1006, wasClean: false })
    peer.destroy()
  })

  test('waits for a server to end the TCP connection until closeTimeout', async () => {
    const { url } = await scriptedServer((request, socket) => {
      socket.write(acceptance(request))
      const peer = new RawPeer(socket, 'server', request.rest)
      void peer.next().then((frame) => {
        expect(frame?.opcode).toBe(opcode.close)
        peer.write(peer.encode({ ...frame!, rsv: 0 }))
      })
    })
    const client = await connect(url, { closeTimeout: 30 })
    // Without a consumer the Close frame would wait, too.
    client.on('message', () => {})
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    let ended = false
    client.on('close', () => (ended = true))
    const closed = closeOf(client)
    client.close(1000)
    await settled()
    vi.advanceTimersByTime(29)
    await settled()
    expect(ended).toBe(false)
    vi.advanceTimersByTime(1)
    expect(await closed).toMatchObject({ code: 1000, wasClean: true })
  })

  test.each([
    ['half-closes', (peer: RawPeer) => peer.end()],
    ['resets', (peer: RawPeer) => peer.reset()],
  ])('closes with 1006 if the peer %s without a Close frame', async (_name, act) => {
    const { port, next } = await runningServer()
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const errors = vi.fn()
    socket.on('error', errors)
    const closed = closeOf(socket)
    act(peer)
    const close = await closed
    expect(close).toMatchObject({ code: 1006, reason: '', wasClean: false, initiator: 'remote' })
    expect(errors.mock.calls).toEqual(close.cause === undefined ? [] : [[close.cause]])
  })

  test('closes with 1006 and drops the message if the peer half-closes in the middle of a frame', async () => {
    const { socket, clientEnd } = await memoryPair()
    const messages = vi.fn()
    socket.on('message', messages)
    clientEnd.write(clientFrame({ opcode: opcode.text, payload: 'cut off' }).subarray(0, -1))
    clientEnd.end()
    expect((await closeOf(socket)).code).toBe(1006)
    expect(messages).not.toHaveBeenCalled()
  })

  test('still sends the answer if the peer half-closes after a message', async () => {
    const { port, server } = await runningServer()
    server.on('connection', (socket) => {
      socket.on('message', (data) => socket.send(`heard ${data as string}`))
    })
    const { peer } = await openAsClient(port)
    peer.write(clientFrame({ opcode: opcode.text, payload: 'x' }))
    peer.end()
    expect((await peer.next())?.payload.toString()).toBe('heard x')
    expect(await peer.next()).toBeUndefined()
  })

  test('sends a Close frame with the reason and stops reading if the peer violates the protocol', async () => {
    const { port, next } = await runningServer()
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const events: unknown[] = []
    socket.on('message', (data) => events.push(data))
    socket.on('error', (error) => events.push(error))
    const closed = closeOf(socket)
    const wrong = peer.encode({ opcode: 3, payload: Buffer.from('x'), fin: true, rsv: 0 })
    peer.write(
      Buffer.concat([
        clientFrame({ opcode: opcode.text, payload: 'before' }),
        wrong,
        clientFrame({ opcode: opcode.text, payload: 'behind' }),
      ]),
    )
    const frame = await peer.next()
    expect(frame?.opcode).toBe(opcode.close)
    expect(frame?.payload.readUInt16BE(0)).toBe(1002)
    peer.end()
    const close = await closed
    expect(close).toMatchObject({ code: 1006, wasClean: false, initiator: 'local' })
    expect(close.cause).toBeInstanceOf(ProtocolError)
    expect(close.cause).toMatchObject({ code: 'WS_ERR_INVALID_OPCODE', closeCode: 1002 })
    expect(frame?.payload.subarray(2).toString()).toBe(close.cause?.message)
    expect(events).toEqual(['before', close.cause])
  })

  test('sends no second Close frame if the peer violates the protocol during the closing handshake', async () => {
    const { port, next } = await runningServer()
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const closed = closeOf(socket)
    socket.close(4000)
    peer.write(Buffer.from([0xff, 0xff]))
    expect((await peer.next())?.payload.readUInt16BE(0)).toBe(4000)
    expect(await peer.next()).toBeUndefined()
    expect((await closed).cause).toBeInstanceOf(ProtocolError)
  })
})

test('fails the connection of a client whose server violates the protocol', async () => {
  const { url } = await scriptedServer((request, socket) => {
    socket.write(acceptance(request))
    const peer = new RawPeer(socket, 'server', request.rest)
    // A masked frame, which only clients may send.
    peer.write(clientFrame({ opcode: opcode.text, payload: 'masked' }))
  })
  const client = await connect(url)
  expect((await closeOf(client)).cause).toMatchObject({ code: 'WS_ERR_UNEXPECTED_MASK' })
})

test('leaves no timer after the close', async () => {
  const { client, socket } = await openPair()
  const closes = Promise.all([closeOf(client), closeOf(socket)])
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  client.close()
  socket.close()
  await closes
  expect(timers()).toBeLessThanOrEqual(before)
})
