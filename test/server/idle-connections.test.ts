import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { settled, until } from '../support/event-loop.js'
import { handshakeText, readHead } from '../support/http-exchange.js'
import { clientFrame, FrameReader, opcode } from '../support/raw-frame.js'
import { runningServer } from '../support/running-server.js'

/** A process with 4,096 file descriptors can hold both ends of this many, with room to spare. */
const CONNECTIONS = 1000
const SECOND = 1000
/** A Ping of the heartbeat has 4 random bytes. */
const PING = 2 + 4
const PONG = clientFrame({ opcode: opcode.pong, payload: Buffer.alloc(4) }).length

/** A client that only answers Pings, and counts what it receives. */
class IdleClient {
  readonly socket: Socket
  readonly frames = { pings: 0, others: 0 }
  answers = true
  readonly #reader = new FrameReader()

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true).on('data', (chunk: Buffer) => {
      for (const frame of this.#reader.push(chunk)) {
        if (frame.opcode !== opcode.ping) this.frames.others++
        else {
          this.frames.pings++
          if (this.answers) socket.write(clientFrame({ opcode: opcode.pong, payload: frame.payload }))
        }
      }
    })
  }

  static async open(port: number): Promise<IdleClient> {
    const socket = connectSocket(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(handshakeText())
    const { line } = await readHead(socket)
    expect(line).toContain('101')
    const client = new IdleClient(socket)
    socket.resume()
    return client
  }
}

async function openAll(port: number, count: number): Promise<IdleClient[]> {
  const clients: IdleClient[] = []
  onTestFinished(() => {
    for (const { socket } of clients) socket.destroy()
  })
  while (clients.length < count) {
    clients.push(...(await Promise.all(Array.from({ length: 100 }, () => IdleClient.open(port)))))
  }
  return clients
}

describe(`${CONNECTIONS} idle connections on real sockets`, () => {
  // Only the timers of the heartbeat are replaced. The sockets and all other timers are those of the system.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('share one timer, which is cleared with the last of them', async () => {
    const { server, port } = await runningServer()
    expect(vi.getTimerCount()).toBe(0)
    const clients = await openAll(port, CONNECTIONS)
    expect(server.stats().connections).toBe(CONNECTIONS)
    expect(vi.getTimerCount()).toBe(1)
    for (const { socket } of clients.splice(0, CONNECTIONS - 1)) socket.resetAndDestroy()
    await until(() => server.clients.size === 1)
    expect(vi.getTimerCount()).toBe(1)
    clients[0]?.socket.resetAndDestroy()
    await until(() => server.clients.size === 0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('receive one Ping each in 25 seconds and nothing else, and stay open while they answer', async () => {
    const { server, port } = await runningServer()
    const clients = await openAll(port, CONNECTIONS)
    const before = server.stats().bytes
    for (let interval = 0; interval < 4; interval++) {
      vi.advanceTimersByTime(25 * SECOND - 1)
      await settled()
      expect(server.stats().bytes.sent - before.sent).toBe(interval * CONNECTIONS * PING)
      vi.advanceTimersByTime(1)
      const pongs = (interval + 1) * CONNECTIONS * PONG
      await until(() => server.stats().bytes.received - before.received >= pongs)
      expect(server.stats().bytes.received - before.received).toBe(pongs)
      expect(server.stats().bytes.sent - before.sent).toBe((interval + 1) * CONNECTIONS * PING)
    }
    expect(clients.every(({ frames }) => frames.pings === 4 && frames.others === 0)).toBe(true)
    expect(server.stats()).toMatchObject({ connections: CONNECTIONS, terminated: {} })
  })

  test('are terminated 20 seconds after a Ping that they do not answer, and no others', async () => {
    const { server, port } = await runningServer()
    const clients = await openAll(port, CONNECTIONS)
    for (const [index, client] of clients.entries()) client.answers = index % 4 !== 0
    const living = clients.filter(({ answers }) => answers)
    const before = server.stats().bytes.received
    vi.advanceTimersByTime(25 * SECOND)
    const pongs = living.length * PONG
    await until(() => server.stats().bytes.received - before === pongs)
    vi.advanceTimersByTime(20 * SECOND - 1)
    await settled()
    expect(server.stats()).toMatchObject({ connections: CONNECTIONS, terminated: {} })
    const ends = clients.filter(({ answers }) => !answers).map(({ socket }) => once(socket, 'close'))
    vi.advanceTimersByTime(1)
    await Promise.all(ends)
    expect(server.stats()).toMatchObject({
      connections: living.length,
      terminated: { WS_ERR_SILENT_PEER: CONNECTIONS - living.length },
    })
    expect(clients.every(({ frames }) => frames.pings === 1)).toBe(true)
    expect(living.every(({ socket }) => !socket.destroyed)).toBe(true)
  })

  test('receive nothing and need no timer with heartbeat: false', async () => {
    const { server, port } = await runningServer({ heartbeat: false })
    const clients = await openAll(port, 100)
    const { sent } = server.stats().bytes
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(3600 * SECOND)
    await settled()
    expect(server.stats()).toMatchObject({ connections: 100, bytes: { sent } })
    expect(clients.every(({ frames }) => frames.pings === 0)).toBe(true)
  })
})
