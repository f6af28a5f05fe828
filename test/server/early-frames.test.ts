import { once } from 'node:events'
import { createServer as createSecureServer } from 'node:https'
import { connect as connectSocket, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectSecurely } from 'node:tls'
import { deflateRawSync, constants } from 'node:zlib'
import { refuse, type Refusal, WebSocketServer, type WebSocketServerOptions } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeCertificate } from '../support/certificate.js'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { handshakeText, readAnswer, readHead } from '../support/http-exchange.js'
import { Queue } from '../support/queue.js'
import { clientFrame, FrameReader, opcode, type ReceivedFrame } from '../support/raw-frame.js'
import { endWithTest } from '../support/running-server.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { uncaught } from '../support/uncaught.js'

type Outcome = string | Refusal

/** A server whose checks the test decides, and which records its events in order. */
class Watched {
  readonly events: string[] = []
  readonly #checks = new Queue<(outcome: Outcome) => void>()
  readonly #ended = new Queue<string>()

  readonly options: Pick<WebSocketServerOptions<string>, 'authenticate' | 'perMessageDeflate'> = {
    perMessageDeflate: true,
    authenticate: () =>
      new Promise<Outcome>((resolve) => {
        this.#checks.push(resolve)
      }),
  }

  watch(server: WebSocketServer<string>): void {
    endWithTest(server)
    server.on('connection', (socket) => {
      this.events.push(`connection of ${socket.user}`)
      socket.on('message', (data) => this.events.push(data as string))
      void closeOf(socket).then(({ code, wasClean }) => {
        this.events.push(`close ${code} ${wasClean ? 'clean' : 'unclean'}`)
        this.#ended.push('')
      })
    })
  }

  /** Resolves when the check of the next handshake has begun. */
  check(): Promise<(outcome: Outcome) => void> {
    return this.#checks.next()
  }

  async closed(): Promise<void> {
    await this.#ended.next()
  }
}

const CLOSE = clientFrame({ opcode: opcode.close, payload: Buffer.of(0x03, 0xe8) })

function compressed(text: string): Buffer {
  const payload = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
  return clientFrame({ opcode: opcode.text, payload, rsv: 4 })
}

/** Frames that a client sends before it is accepted, and the messages that they contain. */
const early = [
  ...Array.from({ length: 300 }, (_, index) =>
    clientFrame({ opcode: opcode.text, payload: `early ${index}` }),
  ),
  clientFrame({ opcode: opcode.text, payload: 'in ', fin: false }),
  clientFrame({ opcode: opcode.ping, payload: 'are you there?' }),
  clientFrame({ opcode: opcode.continuation, payload: 'two parts' }),
  compressed('compressed'),
]
const arriving = [
  ...Array.from({ length: 300 }, (_, index) => `early ${index}`),
  'in two parts',
  'compressed',
]

/** For each kind of socket: starts a server, and returns a function that connects to it. */
const places: [string, (watched: Watched) => Promise<() => Socket>][] = [
  [
    'TCP',
    async (watched) => {
      const server = new WebSocketServer<string>({ port: 0, host: '127.0.0.1', ...watched.options })
      watched.watch(server)
      await once(server, 'listening')
      return () => connectSocket((server.address() as AddressInfo).port, '127.0.0.1')
    },
  ],
  [
    'a unix socket',
    async (watched) => {
      const unixPath = join(temporaryFolder(), 'socket')
      const server = new WebSocketServer<string>({ unixPath, ...watched.options })
      watched.watch(server)
      await once(server, 'listening')
      return () => connectSocket(unixPath)
    },
  ],
  [
    'TLS',
    async (watched) => {
      const certificate = makeCertificate()
      const https = createSecureServer(certificate).listen(0, '127.0.0.1')
      await once(https, 'listening')
      onTestFinished(() => {
        https.close()
      })
      watched.watch(new WebSocketServer<string>({ server: https, ...watched.options }))
      const { port } = https.address() as AddressInfo
      return () => connectSecurely({ port, host: '127.0.0.1', ca: certificate.cert, servername: 'localhost' })
    },
  ],
]

/** @param behind - frames in the same chunk as the handshake */
function open(connect: () => Socket, behind: Buffer = Buffer.alloc(0)): Socket {
  const socket = connect()
  socket.on('error', () => {})
  onTestFinished(() => {
    socket.destroy()
  })
  const request = handshakeText({ 'Sec-WebSocket-Extensions': 'permessage-deflate' })
  socket.write(Buffer.concat([Buffer.from(request), behind]))
  return socket
}

/** All frames until the connection ends. */
async function framesOf(socket: Socket): Promise<ReceivedFrame[]> {
  const { line, rest } = await readHead(socket)
  expect(line).toContain('101')
  const reader = new FrameReader()
  const frames = reader.push(rest)
  socket.on('data', (chunk: Buffer) => frames.push(...reader.push(chunk)))
  socket.resume()
  await new Promise((resolve) => socket.once('close', resolve))
  return frames
}

describe.each(places)('frames that arrive over %s while authenticate runs', (_place, start) => {
  test("are held and delivered after 'connection', completely and in order", async () => {
    const watched = new Watched()
    // The first frames arrive with the request, the second of them only in part.
    const first = Buffer.concat([
      clientFrame({ opcode: opcode.text, payload: 'at once' }),
      clientFrame({ opcode: opcode.text, payload: 'in two chunks' }),
    ])
    const socket = open(await start(watched), first.subarray(0, -5))
    const admit = await watched.check()
    socket.write(first.subarray(-5))
    for (const frame of early) socket.write(frame)
    await settled()
    expect(watched.events).toEqual([])
    admit('ada')
    socket.write(clientFrame({ opcode: opcode.text, payload: 'late' }))
    socket.write(CLOSE)
    const frames = await framesOf(socket)
    await watched.closed()
    const heard = ['at once', 'in two chunks', ...arriving, 'late']
    expect(watched.events).toEqual(['connection of ada', ...heard, 'close 1000 clean'])
    expect(frames.map((frame) => frame.opcode)).toEqual([opcode.pong, opcode.close])
    expect(frames[0]?.payload.toString()).toBe('are you there?')
  })

  test('are delivered even if a Close frame and a FIN follow them', async () => {
    const watched = new Watched()
    const socket = open(await start(watched))
    const admit = await watched.check()
    socket.end(Buffer.concat([clientFrame({ opcode: opcode.text, payload: 'and goodbye' }), CLOSE]))
    await settled()
    admit('ada')
    socket.resume()
    await watched.closed()
    expect(watched.events).toEqual(['connection of ada', 'and goodbye', 'close 1000 clean'])
  })

  test('are not delivered if a Close frame refuses the connection', async () => {
    const watched = new Watched()
    const socket = open(await start(watched))
    const decide = await watched.check()
    socket.write(clientFrame({ opcode: opcode.text, payload: 'let me in' }))
    await settled()
    decide(refuse.close(4401, 'who?'))
    const frames = framesOf(socket)
    socket.write(clientFrame({ opcode: opcode.close, payload: Buffer.of(0x11, 0x31) }))
    expect(await frames).toMatchObject([
      { opcode: opcode.close, payload: Buffer.concat([Buffer.of(0x11, 0x31), Buffer.from('who?')]) },
    ])
    expect(watched.events).toEqual([])
  })

  test('do not prevent a refusal from arriving', async () => {
    const watched = new Watched()
    const socket = open(await start(watched))
    const decide = await watched.check()
    socket.write(Buffer.concat(early))
    await settled()
    decide(refuse(401, { body: 'who?' }))
    expect(await readAnswer(socket)).toMatchObject({ status: 401, body: 'who?' })
    expect(watched.events).toEqual([])
  })

  test('close only their own connection if they are malformed', async () => {
    const lost = uncaught()
    const watched = new Watched()
    const connect = await start(watched)
    const socket = open(connect)
    const admit = await watched.check()
    socket.write(
      Buffer.concat([clientFrame({ opcode: opcode.text, payload: 'good' }), Buffer.alloc(20, 0xff)]),
    )
    await settled()
    admit('ada')
    const frames = await framesOf(socket)
    await watched.closed()
    expect(watched.events).toEqual(['connection of ada', 'good', 'close 1006 unclean'])
    expect(frames.map((frame) => [frame.opcode, frame.payload.readUInt16BE(0)])).toEqual([
      [opcode.close, 1002],
    ])
    expect(lost).toEqual([])
  })

  test.each(['before', 'after'])(
    'are dropped without an error if the connection is lost just %s it is accepted',
    async (when) => {
      const lost = uncaught()
      const watched = new Watched()
      const connect = await start(watched)
      const socket = open(connect)
      const admit = await watched.check()
      socket.write(Buffer.concat(early))
      await settled()
      if (when === 'after') admit('ada')
      // A unix socket cannot be reset.
      if (_place === 'TCP') socket.resetAndDestroy()
      else socket.destroy()
      await settled()
      if (when === 'before') admit('ada')
      // Whether it was accepted depends on the system. If it was, it has closed.
      const next = open(connect)
      const admitNext = await watched.check()
      admitNext('grace')
      next.write(CLOSE)
      await framesOf(next)
      while (!watched.events.some((event, index) => event === 'close 1000 clean' && index > 0))
        await settled()
      const connections = watched.events.filter((event) => event.startsWith('connection of ada'))
      const ends = watched.events.filter((event) => event.startsWith('close'))
      expect(ends).toHaveLength(connections.length + 1)
      expect(lost).toEqual([])
    },
  )
})
