import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { connect, type WebSocket } from 'hubwire'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { closeOf, type Closed } from '../support/close-of.js'
import { settled, turn } from '../support/event-loop.js'
import { handshakeText, readAnswer } from '../support/http-exchange.js'
import { inbox } from '../support/inbox.js'
import { openPair } from '../support/open-pair.js'
import { pausedClient } from '../support/paused-client.js'
import { clientFrame, FrameReader, opcode } from '../support/raw-frame.js'
import { openAsClient } from '../support/raw-handshake.js'
import { runningServer } from '../support/running-server.js'

const KIBI = 1024
const MEBI = 1024 * KIBI

/** Sends raw bytes to a server, and returns what it received and how it closed. */
async function afterSending(
  ...bytes: Buffer[]
): Promise<{ heard: number[]; closed: Promise<Closed>; socket: WebSocket<undefined> }> {
  const { port, next } = await runningServer()
  const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
  const heard: number[] = []
  socket.on('message', (data) => heard.push((data as Buffer).length))
  const closed = closeOf(socket)
  for (const part of bytes) peer.write(part)
  return { heard, closed, socket }
}

describe('by default', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  test('maxPayload is 1 MiB', async () => {
    const whole = clientFrame({ opcode: opcode.binary, payload: Buffer.alloc(MEBI) })
    // The header of a message that is too long is enough.
    const header = clientFrame({ opcode: opcode.binary, payload: Buffer.alloc(MEBI + 1) }).subarray(0, 14)
    const { heard, closed } = await afterSending(whole, header)
    expect((await closed).cause).toMatchObject({ code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', closeCode: 1009 })
    expect(heard).toEqual([MEBI])
  })

  test('maxPayload counts the fragments of a message together', async () => {
    const half = Buffer.alloc(MEBI / 2)
    const { heard, closed } = await afterSending(
      clientFrame({ opcode: opcode.binary, payload: half, fin: false }),
      clientFrame({ opcode: opcode.continuation, payload: half }),
      clientFrame({ opcode: opcode.binary, payload: half, fin: false }),
      clientFrame({ opcode: opcode.continuation, payload: half, fin: false }),
      clientFrame({ opcode: opcode.continuation, payload: 'x' }),
    )
    expect((await closed).cause).toMatchObject({ closeCode: 1009 })
    expect(heard).toEqual([MEBI])
  })

  test('maxFragments is 131,072', async () => {
    const empty = clientFrame({ opcode: opcode.continuation, payload: '', fin: false })
    const fragments = (count: number): Buffer =>
      Buffer.concat([
        clientFrame({ opcode: opcode.binary, payload: '', fin: false }),
        Buffer.alloc((count - 2) * empty.length, empty),
        clientFrame({ opcode: opcode.continuation, payload: 'x' }),
      ])
    const { heard, closed } = await afterSending(fragments(131_072), fragments(131_073))
    expect((await closed).cause).toMatchObject({ closeCode: 1008 })
    expect(heard).toEqual([1])
  })

  test('maxBufferedAmount is 16 MiB, and a peer beyond it is terminated', async () => {
    const { port, next } = await runningServer()
    const [raw, { socket }] = await Promise.all([pausedClient(port), next()])
    const closed = closeOf(socket)
    const message = Buffer.alloc(64 * KIBI)
    let most = 0
    while (socket.readyState === 1) {
      socket.send(message)
      most = Math.max(most, socket.bufferedAmount)
      // Only what was queued in an earlier turn counts against a peer.
      await turn()
    }
    // The limit counts frame headers too, bufferedAmount does not.
    const headers = Math.ceil((16 * MEBI) / message.length) * 10
    expect(most).toBeGreaterThan(16 * MEBI - headers)
    expect(most).toBeLessThan(16 * MEBI + 2 * message.length)
    expect((await closed).cause).toMatchObject({ code: 'WS_ERR_SLOW_PEER' })
    raw.destroy()
  })

  test('the number of connections is not limited, neither per address nor in total', async () => {
    const { server, url } = await runningServer()
    await Promise.all(Array.from({ length: 300 }, () => connect(url)))
    expect(server.stats()).toMatchObject({ connections: 300, refused: {} })
  })

  test('handshakeTimeout is 10 seconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const signals: AbortSignal[] = []
    const { server, port } = await runningServer({
      authenticate: (_request, { signal }) => {
        signals.push(signal)
        server.emit('error', new Error('asked'))
        return new Promise<never>(() => {})
      },
    })
    const asked = new Promise((resolve) => server.once('error', resolve))
    const socket = connectSocket(port, '127.0.0.1')
    socket.write(handshakeText())
    await asked
    // The time begins in the next phase of the event loop.
    await settled()
    vi.advanceTimersByTime(9999)
    await settled()
    expect([signals[0]?.aborted, server.stats().refused]).toEqual([false, {}])
    vi.advanceTimersByTime(1)
    expect((await readAnswer(socket)).status).toBe(503)
    expect(server.stats().refused).toEqual({ handshakeTimeout: 1 })
  })

  test('closeTimeout is 30 seconds, and the timeout of a shutdown 10', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { server, port, next } = await runningServer()
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const [other, { socket: second }] = await Promise.all([openAsClient(port), next()])
    const closed = closeOf(socket)
    socket.close()
    expect((await peer.next())?.opcode).toBe(opcode.close)
    vi.advanceTimersByTime(29_999)
    await settled()
    expect(socket.readyState).toBe(2)
    vi.advanceTimersByTime(1)
    expect((await closed).cause).toMatchObject({ code: 'WS_ERR_CLOSE_TIMEOUT' })
    const shutdown = server.shutdown()
    expect((await other.peer.next())?.opcode).toBe(opcode.close)
    vi.advanceTimersByTime(9999)
    await settled()
    expect(second.readyState).toBe(2)
    vi.advanceTimersByTime(1)
    expect(await shutdown).toEqual({ closed: 0, terminated: 1 })
  })
})

describe("slowPolicy 'skip' never skips control frames", () => {
  test('sends Ping, Pong and Close frames to a peer beyond the limit, between whole messages', async () => {
    const { port, next } = await runningServer({ slowPolicy: 'skip', maxBufferedAmount: 100 * KIBI })
    const [raw, { socket }] = await Promise.all([pausedClient(port), next()])
    const message = Buffer.alloc(50 * KIBI, 'x')
    let missed = 0
    let delivered = 0
    while (missed < 50) {
      socket.send(message, (error) => {
        if (error instanceof Error) missed++
        else delivered++
      })
      await settled()
    }
    expect(socket.readyState).toBe(1)
    const pinged = once(socket, 'ping')
    raw.write(clientFrame({ opcode: opcode.ping, payload: 'theirs' }))
    await pinged
    socket.ping('ours')
    const skipped = missed
    const reader = new FrameReader()
    const frames: [code: number, length: number, text: string][] = []
    raw.on('data', (chunk: Buffer) => {
      for (const { opcode: code, payload } of reader.push(chunk)) {
        frames.push([code, payload.length, code === opcode.binary ? '' : payload.toString()])
      }
    })
    const drained = once(socket, 'drain')
    raw.resume()
    await drained
    socket.close(4000, 'done')
    await once(raw, 'data')
    while (!frames.some(([code]) => code === opcode.close)) await settled()
    raw.write(clientFrame({ opcode: opcode.close, payload: Buffer.of(0x0f, 0xa0) }))
    expect(await closeOf(socket)).toMatchObject({ code: 4000, wasClean: true })
    const controls = frames.filter(([code]) => code !== opcode.binary)
    expect(controls.map(([code]) => code).toSorted((one, other) => one - other)).toEqual([
      opcode.close,
      opcode.ping,
      opcode.pong,
    ])
    expect(controls.map(([, , text]) => text)).toEqual(expect.arrayContaining(['ours', 'theirs']))
    const messages = frames.filter(([code]) => code === opcode.binary)
    expect(messages.every(([, length]) => length === message.length)).toBe(true)
    expect(missed).toBe(skipped)
    expect(messages).toHaveLength(delivered)
  })

  test('sends the Pings of the heartbeat, so that a peer that does not read is detected', async () => {
    const { port, next } = await runningServer({
      slowPolicy: 'skip',
      maxBufferedAmount: 10 * KIBI,
      heartbeat: { interval: 50, timeout: 50 },
    })
    const [raw, { socket }] = await Promise.all([pausedClient(port), next()])
    const closed = closeOf(socket)
    const timer = setInterval(() => {
      if (socket.readyState === 1) socket.send(Buffer.alloc(50 * KIBI))
    }, 1)
    expect((await closed).cause).toMatchObject({ code: 'WS_ERR_SILENT_PEER' })
    clearInterval(timer)
    raw.destroy()
  })
})

test('closes only the connection that exceeds a limit', async () => {
  const { running, client, socket } = await openPair()
  const received = inbox(socket)
  for (const bytes of [
    clientFrame({ opcode: opcode.binary, payload: Buffer.alloc(MEBI + 1) }).subarray(0, 14),
    Buffer.concat(Array.from({ length: 3000 }, () => clientFrame({ opcode: opcode.ping }))),
    Buffer.alloc(10, 0xff),
  ]) {
    const [{ peer }, { socket: other }] = await Promise.all([openAsClient(running.port), running.next()])
    const closed = closeOf(other)
    peer.write(bytes)
    expect(await closed).toMatchObject({ code: 1006, initiator: 'local' })
    client.send('still here')
    expect(await received.next()).toBe('still here')
  }
  expect(running.server.stats()).toMatchObject({
    connections: 1,
    terminated: { WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1, WS_ERR_TOO_MANY_MESSAGES: 1 },
  })
})
