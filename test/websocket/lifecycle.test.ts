import { once } from 'node:events'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import {
  connect,
  createWebSocketStream,
  Hub,
  ProtocolError,
  WebSocket,
  WebSocketServer,
  type WebSocketServerOptions,
} from 'hubwire'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Closed, closeOf } from '../support/close-of.js'
import { settled, turn } from '../support/event-loop.js'
import { clientFrame, FrameReader, opcode } from '../support/raw-frame.js'
import { inbox, take } from '../support/inbox.js'
import { openPair } from '../support/open-pair.js'
import { pausedClient } from '../support/paused-client.js'
import { runningServer } from '../support/running-server.js'
import { watchTimers } from '../support/timers.js'

const MIB = 1024 * 1024

/** A masked Close frame with the code 1000. */
const CLOSE = clientFrame({ opcode: opcode.close, payload: Buffer.from([0x03, 0xe8]) })

/** A connection whose time limits pass only when the test advances the clock. */
async function openWithFakeTime(
  closeTimeout: number,
  options: WebSocketServerOptions<undefined, boolean> = {},
): Promise<{ peer: Socket; socket: WebSocket; closed: Promise<Closed> }> {
  const running = await runningServer({ closeTimeout, heartbeat: false, ...options })
  const peer = await pausedClient(running.port)
  const { socket } = await running.next()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  return { peer, socket, closed: closeOf(socket) }
}

describe('closing while messages are held (F2)', () => {
  const closeTimeout = 1000

  test('completes on a paused socket if no message precedes the peer’s Close frame', async () => {
    const { running, client, socket } = await openPair()
    socket.pause()
    socket.close(4000, 'enough')
    expect(await closeOf(socket)).toMatchObject({ code: 4000, wasClean: true, dropped: 0 })
    expect(running.server.clients.size).toBe(0)
    expect(client.readyState).not.toBe(client.OPEN)
  })

  test('ends on a paused socket within closeTimeout, and counts the held messages as dropped', async () => {
    const { running, client, socket } = await openPair({ server: { closeTimeout: 500 } })
    const messages: unknown[] = []
    socket.on('message', (data) => messages.push(data))
    socket.pause()
    client.send('one')
    client.send('two')
    socket.close()
    expect(await closeOf(socket)).toMatchObject({ dropped: 2, wasClean: true, cause: undefined })
    expect(messages).toEqual([])
    expect(running.server.clients.size).toBe(0)
  })

  test('reads the Close frame of a peer that sent more than is read ahead, and does not blame it', async () => {
    const { client, socket } = await openPair({ server: { closeTimeout: 50 } })
    socket.pause()
    for (let count = 0; count < 20; count++) client.send('x'.repeat(10_000))
    socket.close(4000)
    expect(await closeOf(socket)).toMatchObject({ code: 4000, dropped: 20, wasClean: true, cause: undefined })
  })

  test('does not blame a peer whose FIN follows held messages instead of a Close frame', async () => {
    const running = await runningServer({ closeTimeout: 50 })
    const peer = await pausedClient(running.port)
    const { socket } = await running.next()
    socket.pause()
    socket.close()
    peer.resume()
    peer.end(clientFrame({ opcode: opcode.text, payload: 'never heard' }))
    expect(await closeOf(socket)).toMatchObject({ code: 1006, dropped: 1, wasClean: false, cause: undefined })
  })

  test('ends a paused socket after a FIN, even if it does not resume', async () => {
    const running = await runningServer({ closeTimeout: 50 })
    const peer = await pausedClient(running.port)
    const { socket } = await running.next()
    socket.pause()
    peer.end(Buffer.concat([clientFrame({ opcode: opcode.text, payload: 'held' })]))
    peer.resume()
    expect(await closeOf(socket)).toMatchObject({ code: 1006, dropped: 1 })
  })

  test('leaves no timer after a FIN that follows held messages', async () => {
    const closeTimeout = 57
    const timers = watchTimers(closeTimeout)
    const running = await runningServer({ closeTimeout })
    const peer = await pausedClient(running.port)
    const { socket } = await running.next()
    socket.pause()
    peer.end(clientFrame({ opcode: opcode.text, payload: 'held' }))
    peer.resume()
    await closeOf(socket)
    expect(timers.started).toBeGreaterThan(1)
    expect(timers.live.size).toBe(0)
  })

  test('gives a reader closeTimeout for each message before a FIN, not for all of them', async () => {
    const { peer, socket, closed } = await openWithFakeTime(closeTimeout)
    const texts = ['one', 'two', 'three', 'four']
    peer.end(Buffer.concat(texts.map((payload) => clientFrame({ opcode: opcode.text, payload }))))
    peer.resume()
    const seen: unknown[] = []
    const readAll = async (): Promise<void> => {
      for await (const data of socket) {
        seen.push(data)
        await settled()
        vi.advanceTimersByTime(0.9 * closeTimeout)
      }
    }
    await expect(readAll()).rejects.toThrow('ended without a Close frame (1006)')
    expect(seen).toEqual(texts)
    expect(await closed).toMatchObject({ code: 1006, dropped: 0, cause: undefined })
  })

  test('counts what the reader has not taken at closeTimeout although it is not paused, and does not blame the peer', async () => {
    const { peer, socket, closed } = await openWithFakeTime(closeTimeout)
    // More than the 256 messages that a connection may deliver in a turn of the event loop.
    const text = clientFrame({ opcode: opcode.text, payload: 'x' })
    let seen = 0
    socket.on('message', () => {
      if (++seen === 1) socket.close()
      if (seen === 256) setImmediate(() => vi.advanceTimersByTime(closeTimeout + 1))
    })
    peer.write(Buffer.concat([...Array<Buffer>(600).fill(text), CLOSE]))
    peer.resume()
    expect(await closed).toMatchObject({ wasClean: true, dropped: 600 - seen, cause: undefined })
    expect(seen).toBe(256)
    peer.destroy()
  })

  test('ends a peer that sends without a pause after ten times closeTimeout', async () => {
    const { peer, socket, closed } = await openWithFakeTime(closeTimeout, { controlFrameRate: false })
    const pings = 20 * 256
    const passTime = (): void => {
      if (socket.readyState === WebSocket.CLOSING) vi.advanceTimersByTime(closeTimeout + 1)
    }
    let seen = 0
    socket.on('ping', () => {
      // As many as a connection may read in a turn of the event loop: it never catches up.
      if (++seen % 256 === 0 && socket.readyState === WebSocket.CLOSING) setImmediate(passTime)
    })
    socket.close()
    peer.write(Buffer.concat(Array<Buffer>(pings).fill(clientFrame({ opcode: opcode.ping }))))
    peer.resume()
    expect(await closed).toMatchObject({
      code: 1006,
      wasClean: false,
      initiator: 'local',
      cause: { code: 'WS_ERR_CLOSE_TIMEOUT' },
    })
    expect(seen).toBeGreaterThanOrEqual(10 * 256)
    expect(seen).toBeLessThan(pings)
    peer.destroy()
  })

  test('lets server.close() call back and shutdown() resolve although a socket is paused', async () => {
    const running = await runningServer({ closeTimeout: 50 })
    const client = await connect(running.url)
    const { socket } = await running.next()
    socket.pause()
    const result = await running.server.shutdown()
    expect(result).toEqual({ closed: 1, terminated: 0 })
    client.terminate()
  })

  test("emits 'close' to a loop that closes its socket and waits", async () => {
    const { client, socket } = await openPair()
    client.send('hello')
    const seen: unknown[] = []
    for await (const data of socket) {
      seen.push(data)
      socket.close()
      await once(socket, 'close')
    }
    expect(seen).toEqual(['hello'])
  })

  test('ends a pipeline through an echoing stream', async () => {
    const { client, socket } = await openPair()
    const echo = createWebSocketStream(socket)
    echo.pipe(echo)
    const sent = Buffer.alloc(MIB, 'x')
    const stream = createWebSocketStream(client)
    const received = (async () => {
      let length = 0
      for await (const chunk of stream) {
        length += (chunk as Buffer).length
        if (length === sent.length) stream.end()
      }
      return length
    })()
    for (let start = 0; start < sent.length; start += 65_536)
      stream.write(sent.subarray(start, start + 65_536))
    expect(await received).toBe(sent.length)
    await Promise.all([closeOf(client), closeOf(socket)].map((close) => Promise.race([close, turn()])))
  })

  test('ends a pipeline into a socket whose peer sends nothing', async () => {
    const { client, socket } = await openPair()
    const messages = inbox(socket)
    const [closed] = await Promise.all([
      closeOf(socket),
      pipeline(
        (async function* () {
          await turn()
          yield Buffer.from('all of it')
        })(),
        createWebSocketStream(client),
      ),
    ])
    expect((await messages.next()) as Buffer).toEqual(Buffer.from('all of it'))
    expect(closed.wasClean).toBe(true)
  })
})

describe('the function that onceClosed() returns', () => {
  test('removes its listener and no other, before the connection is made and while it is open', async () => {
    const called: string[] = []
    const watch = (socket: WebSocket, name: string): (() => void) =>
      socket.onceClosed(() => called.push(name))
    class Watched extends WebSocket<undefined> {
      constructor(address: null) {
        super(address)
        watch(this, 'kept since the constructor')
        watch(this, 'removed in the constructor')()
      }
    }
    const running = await runningServer({ WebSocket: Watched })
    const client = new WebSocket(running.url)
    watch(client, 'kept since connecting')
    watch(client, 'removed while connecting')()
    const later = watch(client, 'removed when open')
    const [{ socket }] = await Promise.all([running.next(), once(client, 'open')])
    later()
    watch(socket, 'kept since open')
    watch(socket, 'removed at once')()
    const closed = Promise.all([closeOf(client), closeOf(socket)])
    client.close()
    await closed
    expect(called.sort()).toEqual(['kept since connecting', 'kept since open', 'kept since the constructor'])
  })

  test('removes the listeners of 10,000 hubs', async () => {
    let listeners = 0
    class Counted extends WebSocket<undefined> {
      override onceClosed(listener: Parameters<WebSocket['onceClosed']>[0]): () => void {
        listeners++
        const stop = super.onceClosed(listener)
        return () => {
          listeners--
          stop()
        }
      }
    }
    const running = await runningServer({ WebSocket: Counted })
    const [client, { socket }] = await Promise.all([connect(running.url), running.next()])
    const before = listeners
    const hubs = Array.from({ length: 10_000 }, () => new Hub())
    for (const hub of hubs) hub.group('g').add(socket)
    expect(listeners).toBe(before + hubs.length)
    for (const [index, hub] of hubs.entries()) {
      if (index % 2 === 0) hub.leaveAll(socket)
      else hub.group('g').delete(socket)
    }
    expect(listeners).toBe(before)
    client.terminate()
  })
})

describe('a subclass of WebSocket at a server', () => {
  test('can join a group and iterate in its constructor (F41)', async () => {
    const hub = new Hub()
    const looped: unknown[] = []
    let loop: Promise<void> | undefined
    class Member extends WebSocket<undefined> {
      constructor(address: null) {
        super(address)
        loop = (async () => {
          for await (const data of this) looped.push(data)
        })()
        hub.group('all').add(this)
      }
    }
    const running = await runningServer({ WebSocket: Member })
    const client = await connect(running.url)
    await running.next()
    expect(hub.group('all').size).toBe(1)
    client.send('hello')
    client.close()
    await loop
    expect(looped).toEqual(['hello'])
    expect(hub.group('all').size).toBe(0)
  })
})

describe('the peer’s FIN', () => {
  /** Connects a peer that does not read until it is resumed, then collects all frames. */
  async function slowPeer(): Promise<{
    peer: Awaited<ReturnType<typeof pausedClient>>
    socket: WebSocket<undefined>
    texts: Promise<{ bytes: number; frames: number[] }>
  }> {
    const running = await runningServer({ maxBufferedAmount: Infinity })
    const peer = await pausedClient(running.port)
    const { socket } = await running.next()
    const reader = new FrameReader()
    const frames: number[] = []
    let bytes = 0
    const texts = new Promise<{ bytes: number; frames: number[] }>((resolve) => {
      peer.on('close', () => {
        resolve({ bytes, frames })
      })
    })
    peer.pause()
    peer.on('data', (chunk: Buffer) => {
      for (const frame of reader.push(chunk)) {
        bytes += frame.payload.length
        frames.push(frame.opcode)
      }
    })
    peer.pause()
    return { peer, socket, texts }
  }

  test('does not cut off what was sent, even if a listener rejects after it (F17)', async () => {
    const { peer, socket, texts } = await slowPeer()
    socket.on('message', async () => {
      for (let count = 0; count < 12; count++) socket.send(Buffer.alloc(MIB))
      await turn()
      throw new Error('the listener fails')
    })
    socket.on('error', () => undefined)
    peer.end(clientFrame({ opcode: opcode.text, payload: 'go' }))
    await once(socket, 'message')
    await turn()
    peer.resume()
    expect((await texts).bytes).toBeGreaterThanOrEqual(12 * MIB)
  })

  test('is noticed after held messages, and does not cut off the answers to them (F44)', async () => {
    const { peer, socket, texts } = await slowPeer()
    const closed = closeOf(socket)
    let count = 0
    socket.on('message', () => {
      count++
      socket.pause()
      for (let sent = 0; sent < 6; sent++) socket.send(Buffer.alloc(MIB))
      setImmediate(() => {
        socket.resume()
      })
    })
    const text = clientFrame({ opcode: opcode.text, payload: 'more' })
    peer.end(Buffer.concat([text, text, clientFrame({ opcode: opcode.ping, payload: 'p' }), CLOSE]))
    while (count < 2) await turn()
    peer.resume()
    const { bytes, frames } = await texts
    expect(bytes).toBeGreaterThanOrEqual(12 * MIB)
    expect(frames.filter((code) => code === opcode.pong)).toHaveLength(1)
    expect(frames.at(-1)).toBe(opcode.close)
    expect(await closed).toMatchObject({ code: 1000, wasClean: true, cause: undefined })
  })

  test('without a Close frame is reported as 1006 and unclean', async () => {
    const running = await runningServer()
    const peer = await pausedClient(running.port)
    const { socket } = await running.next()
    peer.end()
    peer.resume()
    expect(await closeOf(socket)).toMatchObject({ code: 1006, wasClean: false, initiator: 'remote' })
  })
})

describe('the close', () => {
  test('is clean and without an error if a reset follows both Close frames (F30)', async () => {
    const running = await runningServer()
    const peer = await pausedClient(running.port)
    const { socket } = await running.next()
    const errors: Error[] = []
    socket.on('error', (error) => errors.push(error))
    const closed = closeOf(socket)
    peer.write(CLOSE)
    await once(peer, 'readable')
    peer.resetAndDestroy()
    expect(await closed).toMatchObject({ code: 1000, wasClean: true, cause: undefined })
    expect(errors).toEqual([])
  })

  test.each<[string, (socket: WebSocket<undefined>) => void]>([
    ['removeAllListeners()', (socket) => socket.removeAllListeners()],
    [
      'a listener of close that throws',
      (socket) => {
        socket.prependListener('close', () => {
          throw new Error('the listener fails')
        })
      },
    ],
  ])('removes a socket from clients and lets the server close, despite %s (F41)', async (_name, spoil) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    server.on('error', () => undefined)
    await once(server, 'listening')
    const connection = once(server, 'connection')
    const { port } = server.address() as { port: number }
    const client = await connect(`ws://127.0.0.1:${port}`)
    const [socket] = (await connection) as [WebSocket<undefined>]
    spoil(socket)
    const closed = new Promise<void>((resolve) => {
      server.close(() => {
        resolve()
      })
    })
    client.close()
    await closed
    expect(server.clients.size).toBe(0)
  })

  test.each<[string, (server: WebSocketServer) => void]>([
    ['removeAllListeners()', (server) => server.removeAllListeners()],
    [
      'a listener of close that throws',
      (server) => {
        server.on('error', () => undefined)
        server.on('close', () => {
          throw new Error('the listener fails')
        })
      },
    ],
  ])('of a server is reported to close() and shutdown(), despite %s (F41)', async (_name, spoil) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    const closed = new Promise<void>((resolve) => {
      server.close(() => {
        resolve()
      })
    })
    spoil(server)
    await closed
    const other = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(other, 'listening')
    spoil(other)
    expect(await other.shutdown()).toEqual({ closed: 0, terminated: 0 })
  })

  test('waits beyond closeTimeout for a slow peer that keeps reading', async () => {
    const running = await runningServer({ closeTimeout: 2000, maxBufferedAmount: Infinity })
    const peer = await pausedClient(running.port)
    const { socket } = await running.next()
    for (let count = 0; count < 12; count++) socket.send(Buffer.alloc(MIB))
    const closing: Promise<Closed> = closeOf(socket)
    socket.close(1000)
    const reader = new FrameReader()
    const opcodes: number[] = []
    let bytes = 0
    // One read per timer: the peer is slow, but never stops reading.
    for (let last = 0; last !== opcode.close;) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      const chunk = peer.read() as Buffer | null
      for (const frame of chunk === null ? [] : reader.push(chunk)) {
        bytes += frame.payload.length
        last = frame.opcode
        opcodes.push(last)
      }
    }
    peer.end(CLOSE)
    peer.resume()
    expect(bytes).toBe(12 * MIB + 2)
    expect(await closing).toMatchObject({ code: 1000, wasClean: true })
  })
})

describe('send callbacks', () => {
  test('receive an error for bytes that were not sent before terminate() (F5)', async () => {
    const running = await runningServer({ maxBufferedAmount: Infinity })
    const peer = await pausedClient(running.port)
    const { socket } = await running.next()
    const results: (Error | null | undefined)[] = []
    const told = new Promise<void>((resolve) => {
      for (let count = 0; count < 12; count++) {
        socket.send(Buffer.alloc(MIB), (error) => {
          if (results.push(error) === 12) resolve()
        })
      }
    })
    await turn()
    socket.terminate()
    await told
    let arrived = 0
    peer.on('data', (chunk: Buffer) => (arrived += chunk.length))
    peer.on('error', () => undefined)
    peer.resume()
    await once(peer, 'close')
    const successes = results.filter((error) => !error).length
    expect(successes).toBeLessThan(12)
    expect(results.filter((error) => error instanceof Error).length).toBe(12 - successes)
  })
})

test('does not count unsent bytes as sent in stats() (F48)', async () => {
  const running = await runningServer({ maxBufferedAmount: Infinity })
  const peer = await pausedClient(running.port)
  const { socket } = await running.next()
  for (let count = 0; count < 64; count++) socket.send(Buffer.alloc(MIB))
  await settled()
  const closed = closeOf(socket)
  socket.terminate()
  await closed
  let arrived = 0
  peer.on('data', (chunk: Buffer) => (arrived += chunk.length))
  peer.on('error', () => undefined)
  peer.resume()
  await once(peer, 'close')
  const { sent } = running.server.stats().bytes
  expect(sent).toBeGreaterThan(0)
  expect(sent).toBeLessThanOrEqual(arrived)
  expect(arrived).toBeLessThan(64 * MIB)
})

test('delivers messages to a paused socket that resumes within closeTimeout after a FIN', async () => {
  const running = await runningServer()
  const peer = await pausedClient(running.port)
  const { socket } = await running.next()
  const messages = inbox(socket)
  socket.pause()
  peer.end(Buffer.concat(['a', 'b', 'c'].map((payload) => clientFrame({ opcode: opcode.text, payload }))))
  peer.resume()
  await turn()
  socket.resume()
  expect(await take(messages, 3)).toEqual(['a', 'b', 'c'])
  expect(await closeOf(socket)).toMatchObject({ dropped: 0 })
})

describe('a failing handler', () => {
  test.each<[string, (socket: WebSocket<undefined>) => void]>([
    ['paused the socket', (socket) => socket.pause()],
    [
      'runs beside a busy loop',
      (socket) => {
        void (async () => {
          // The loop never asks for a second message.
          for await (const _data of socket) await new Promise(() => undefined)
        })().catch(() => undefined)
      },
    ],
  ])('that %s does not delay the close', async (_name, hold) => {
    const { running, client, socket } = await openPair()
    running.server.on('error', () => undefined)
    socket.on('message', () => {
      hold(socket)
      throw new Error('the listener fails')
    })
    const closed = closeOf(socket)
    for (const message of ['a', 'b', 'c']) client.send(message)
    expect(await closed).toMatchObject({ code: 1011, wasClean: true })
  })
})

describe('removeAllListeners()', () => {
  test('does not stop a for await loop from receiving messages', async () => {
    const { client, socket } = await openPair()
    const received: unknown[] = []
    client.send('a')
    for await (const data of socket) {
      received.push(data)
      if (data !== 'a') continue
      socket.removeAllListeners()
      client.send('b')
      client.close()
    }
    expect(received).toEqual(['a', 'b'])
  })

  test('does not stop a stream from ending', async () => {
    const { client, socket } = await openPair()
    const stream = createWebSocketStream(socket)
    socket.removeAllListeners()
    const ended = once(stream.resume(), 'close')
    client.close()
    await ended
    expect(stream.destroyed).toBe(true)
  })
})

test('keeps one Pong for a peer that sends Pings and does not read', async () => {
  const running = await runningServer({ controlFrameRate: false })
  const peer = await pausedClient(running.port)
  const { socket } = await running.next()
  // More than the operating system buffers for a peer that does not read.
  socket.send(Buffer.alloc(8 * MIB))
  await turn()
  let pings = 0
  socket.on('ping', () => pings++)
  const before = socket.bufferedAmount
  for (let count = 0; count < 1000; count++) {
    peer.write(clientFrame({ opcode: opcode.ping, payload: String(count) }))
  }
  while (pings < 1000) await turn()
  expect(before).toBeGreaterThan(0)
  const reader = new FrameReader()
  const pongs: string[] = []
  const last = new Promise<void>((resolve) => {
    peer.on('data', (chunk: Buffer) => {
      for (const frame of reader.push(chunk)) {
        if (frame.opcode !== opcode.pong) continue
        pongs.push(frame.payload.toString())
        resolve()
      }
    })
  })
  peer.resume()
  await last
  expect(pongs).toEqual(['999'])
  peer.destroy()
})

test('leaves Error.stackTraceLimit alone, whatever goes wrong (F3)', async () => {
  const { stackTraceLimit } = Error
  const writes: unknown[] = []
  Object.defineProperty(Error, 'stackTraceLimit', {
    configurable: true,
    get: () => stackTraceLimit,
    set: (value) => writes.push(value),
  })
  onTestFinished(() => {
    Object.defineProperty(Error, 'stackTraceLimit', {
      configurable: true,
      writable: true,
      enumerable: true,
      value: stackTraceLimit,
    })
  })
  const { port, next } = await runningServer()
  const errors: unknown[] = []
  for (const bytes of [CLOSE, clientFrame({ opcode: opcode.text, payload: Buffer.of(0xff) })]) {
    const [peer, { socket }] = await Promise.all([pausedClient(port), next()])
    const closed = closeOf(socket)
    peer.on('error', () => undefined)
    peer.write(bytes)
    peer.resume()
    const { cause } = await closed
    const late = new Promise((resolve) => {
      socket.send('late', resolve)
    })
    errors.push(cause, await late)
    peer.destroy()
  }
  expect(errors).toEqual([undefined, expect.any(Error), expect.any(ProtocolError), expect.any(Error)])
  expect(writes).toEqual([])
})
