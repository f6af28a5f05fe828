import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, Socket, type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { type CloseDetails, Hub, type WebSocket, WebSocketServer } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { clientFrame, FrameReader, opcode, type ReceivedFrame } from '../support/raw-frame.js'
import { turn, until } from '../support/event-loop.js'
import { MemoryDuplex } from '../support/memory-duplex.js'
import { runs } from '../support/runs.js'
import { watchTimers } from '../support/timers.js'

/** The end that a sender leaves out (RFC 7692 section 7.2.1). */
const TAIL = Buffer.from([0, 0, 0xff, 0xff])

function compressed(text: string): Buffer {
  return deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -TAIL.length)
}

/** The complete messages of these frames, of which only the last may have begun and not ended. */
function textsOf(frames: readonly ReceivedFrame[]): string[] {
  const texts: string[] = []
  let parts: Buffer[] = []
  let isCompressed = false
  for (const frame of frames) {
    if (frame.opcode > 2) continue
    if (frame.opcode === opcode.text) isCompressed = frame.rsv !== 0
    parts.push(frame.payload)
    if (!frame.fin) continue
    const bytes = Buffer.concat(isCompressed ? [...parts, TAIL] : parts)
    const settings = { finishFlush: constants.Z_SYNC_FLUSH }
    texts.push((isCompressed ? inflateRawSync(bytes, settings) : bytes).toString())
    parts = []
  }
  return texts
}

/** What has to be true of a connection, whatever happened to it: counted from outside, and knowing nothing of it. */
class Model {
  /** Texts that the peer sent, in order, while it was allowed to. */
  readonly toUs: string[] = []
  /** Texts that the application sent, in order. */
  readonly toPeer: string[] = []
  peerIsDone = false
  /** The peer ended in order, by a Close frame or FIN, and nothing else ended the connection. */
  isOrderly = true
}

/** The connection under test, and a record of what it did. */
class Subject {
  readonly delivered: string[] = []
  readonly callbacks = new Map<string, (Error | null | undefined)[]>()
  readonly closes: CloseDetails[] = []
  readonly afterClose: string[] = []
  readonly errors: Error[] = []
  /** What the next listener of `'message'` does. */
  mishap: 'none' | 'throws' | 'rejects' = 'none'
  readonly closed: Promise<void>
  readonly socket: WebSocket
  readonly peer: Duplex
  readonly #reader = new FrameReader()
  readonly #frames: ReceivedFrame[] = []

  constructor(socket: WebSocket, peer: Duplex) {
    this.socket = socket
    this.peer = peer
    peer.on('data', (chunk: Buffer) => this.#frames.push(...this.#reader.push(chunk)))
    peer.on('error', () => undefined)
    socket.on('message', (data): unknown => {
      this.#record('message')
      this.delivered.push(data as string)
      const { mishap } = this
      this.mishap = 'none'
      if (mishap === 'throws') throw new Error('the listener throws')
      return mishap === 'rejects' ? Promise.reject(new Error('the listener rejects')) : undefined
    })
    for (const event of ['ping', 'pong', 'drain'] as const) {
      socket.on(event, () => {
        this.#record(event)
      })
    }
    socket.on('error', (error) => {
      this.#record('error')
      this.errors.push(error)
    })
    this.closed = new Promise((resolve) => {
      socket.on('close', (_code, _reason, details) => {
        this.closes.push(details)
        resolve()
      })
    })
  }

  /** What has arrived at the peer. */
  get received(): { texts: string[]; hasClose: boolean } {
    return {
      texts: textsOf(this.#frames),
      hasClose: this.#frames.some((frame) => frame.opcode === opcode.close),
    }
  }

  send(text: string, compress: boolean): void {
    this.socket.send(text, { compress }, this.#callbackFor(text))
  }

  sendBlob(text: string): void {
    this.socket.send(new Blob([text]), { binary: false }, this.#callbackFor(text))
  }

  sendFragments(text: string): void {
    this.socket.send(text.slice(0, 5), { fin: false })
    if (this.socket.readyState === this.socket.OPEN) this.socket.ping('between')
    this.socket.send(text.slice(5), this.#callbackFor(text))
  }

  #callbackFor(text: string): (error?: Error | null) => void {
    return (error) => {
      this.callbacks.set(text, [...(this.callbacks.get(text) ?? []), error])
    }
  }

  write(bytes: Buffer): void {
    if (this.peer.writable) this.peer.write(bytes)
  }

  #record(event: string): void {
    if (this.closes.length > 0) this.afterClose.push(event)
  }
}

type Command = fc.AsyncCommand<Model, Subject>

/** A command from what it does; `peer` says that it is something of which the peer is no longer capable once it has ended. */
function command(
  name: string,
  run: (model: Model, subject: Subject) => void | Promise<void>,
  peer = false,
): Command {
  return {
    check: (model) => !peer || !model.peerIsDone,
    run: async (model, subject) => {
      await run(model, subject)
    },
    toString: () => name,
  }
}

let serial = 0

const peerSends = (length: number, compress = false): Command =>
  command(
    `peer sends ${length}${compress ? ' compressed' : ''}`,
    (model, subject) => {
      const text = `in ${serial++} ${'x'.repeat(length)}`
      model.toUs.push(text)
      const [payload, rsv] = compress ? [compressed(text), 4] : [text, 0]
      subject.write(clientFrame({ opcode: opcode.text, payload, rsv }))
    },
    true,
  )
const peerSendsFragments = command(
  'peer sends fragments around a Ping',
  (model, subject) => {
    const text = `in ${serial++}`
    model.toUs.push(text)
    subject.write(clientFrame({ opcode: opcode.text, payload: text.slice(0, 2), fin: false }))
    subject.write(clientFrame({ opcode: opcode.ping, payload: 'between' }))
    subject.write(clientFrame({ opcode: opcode.continuation, payload: text.slice(2) }))
  },
  true,
)
const peerPings = command(
  'peer pings',
  (_model, subject) => {
    subject.write(clientFrame({ opcode: opcode.ping, payload: 'p' }))
  },
  true,
)
const peerPongs = command(
  'peer sends a Pong',
  (_model, subject) => {
    subject.write(clientFrame({ opcode: opcode.pong, payload: 'unasked' }))
  },
  true,
)
const peerCloses = command(
  'peer closes',
  (model, subject) => {
    model.peerIsDone = true
    subject.write(clientFrame({ opcode: opcode.close, payload: Buffer.from([0x03, 0xe8]) }))
  },
  true,
)
const peerBreaksProtocol = command(
  'peer breaks the protocol',
  (model, subject) => {
    model.peerIsDone = true
    model.isOrderly = false
    subject.write(Buffer.from([0xff, 0x80, 0, 0, 0, 0]))
  },
  true,
)
const peerEnds = command(
  'peer sends FIN',
  (model, subject) => {
    model.peerIsDone = true
    subject.peer.end()
  },
  true,
)
const peerResets = command(
  'peer resets',
  (model, subject) => {
    model.peerIsDone = true
    model.isOrderly = false
    subject.peer.destroy()
  },
  true,
)
const sends = (length: number, compress = false): Command =>
  command(`we send ${length}${compress ? ' compressed' : ''}`, (model, subject) => {
    const text = `out ${serial++} ${'y'.repeat(length)}`
    model.toPeer.push(text)
    subject.send(text, compress)
  })
const sendsBlob = command('we send a Blob', (model, subject) => {
  const text = `out ${serial++} of a Blob`
  model.toPeer.push(text)
  subject.sendBlob(text)
})
const sendsFragments = command('we send fragments around a Ping', (model, subject) => {
  const text = `out ${serial++} in two`
  model.toPeer.push(text)
  subject.sendFragments(text)
})
const pongs = command('we send a Pong', (_model, subject) => {
  if (subject.socket.readyState === subject.socket.OPEN) subject.socket.pong('unasked')
})
const closes = command('we close', (model, subject) => {
  model.isOrderly = false
  subject.socket.close(4000, 'enough')
})
const terminates = command('we terminate', (model, subject) => {
  model.isOrderly = false
  subject.socket.terminate()
})
const pauses = command('we pause', (_model, subject) => {
  subject.socket.pause()
})
const resumes = command('we resume', (_model, subject) => {
  subject.socket.resume()
})
const throws = command('the next listener throws', (model, subject) => {
  model.isOrderly = false
  subject.mishap = 'throws'
})
const rejects = command('the next listener rejects', (model, subject) => {
  model.isOrderly = false
  subject.mishap = 'rejects'
})
const stalls = command('the peer stops reading', (_model, subject) => {
  subject.peer.pause()
})
const readsOn = command('the peer reads on', (_model, subject) => {
  subject.peer.resume()
})
const turns = command('a turn', turn)
// Longer than the deadlines, and than the silence after which a watched peer is taken for dead.
const timePasses = command('time passes', async () => {
  await delay(15)
})

const one = (of: Command): fc.Arbitrary<Command> => fc.constant(of)
const commands = fc.commands(
  [
    one(peerSends(1)),
    one(peerSends(1)),
    one(peerSends(70_000)),
    // Inflated at once, and on the thread pool.
    one(peerSends(1, true)),
    one(peerSends(70_000, true)),
    one(peerSendsFragments),
    one(peerPings),
    one(peerPongs),
    one(peerCloses),
    one(peerBreaksProtocol),
    one(peerEnds),
    one(peerResets),
    one(sends(1)),
    one(sends(100_000)),
    // Deflated at once, and on the thread pool.
    one(sends(1, true)),
    one(sends(100_000, true)),
    one(sendsBlob),
    one(sendsFragments),
    one(pongs),
    one(closes),
    one(terminates),
    one(pauses),
    one(resumes),
    one(throws),
    one(rejects),
    one(stalls),
    one(readsOn),
    one(turns),
    one(turns),
    one(turns),
    one(timePasses),
  ],
  { size: 'medium', maxCommands: 30 },
)

const request = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: model\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
  'Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n'

/** Sends the opening handshake and reads the answer, behind which nothing has come yet. */
async function shakeHands(peer: Duplex, path: string): Promise<void> {
  peer.write(request(path))
  await once(peer, 'data')
  peer.removeAllListeners('data')
}

const transports = {
  'an in-memory duplex': async (http: ReturnType<typeof createServer>, path: string): Promise<Duplex> => {
    const [peer, ours] = MemoryDuplex.pair()
    http.emit('connection', ours)
    await shakeHands(peer, path)
    return peer
  },
  TCP: async (http: ReturnType<typeof createServer>, path: string): Promise<Duplex> => {
    const peer = connect({
      port: (http.address() as AddressInfo).port,
      host: '127.0.0.1',
      allowHalfOpen: true,
    })
    await shakeHands(peer, path)
    return peer
  },
}

/** What must hold once the connection is closed. */
function check(model: Model, subject: Subject): void {
  const [details] = subject.closes
  expect(subject.closes).toHaveLength(1)
  expect(subject.afterClose).toEqual([])
  expect(model.toUs.slice(0, subject.delivered.length)).toEqual(subject.delivered)
  expect(subject.delivered.length + details!.dropped).toBeLessThanOrEqual(model.toUs.length)
  if (model.isOrderly) expect(subject.delivered.length + details!.dropped).toBe(model.toUs.length)

  const { texts, hasClose } = subject.received
  // When a TCP peer sends to a socket that is closed, the reset discards what the operating system had taken for it.
  const isSure = model.isOrderly || !(subject.peer instanceof Socket)
  expect(model.toPeer.slice(0, texts.length)).toEqual(texts)
  for (const text of model.toPeer) {
    const results = subject.callbacks.get(text)
    expect(results).toHaveLength(1)
    if (isSure && !results![0] && !subject.peer.errored && subject.peer.readableEnded)
      expect(texts).toContain(text)
  }
  if (details!.wasClean && subject.peer.readableEnded) expect(hasClose).toBe(true)
  expect(subject.errors.length).toBeLessThanOrEqual(1)
}

describe.each(Object.entries(transports))('the state machine of a connection over %s', (_name, open) => {
  test(
    'closes once with correct details and leaves nothing behind, whatever happens in whatever order',
    { timeout: runs(60_000) },
    async () => {
      const timers = watchTimers()
      const http = createServer()
      const options = { server: http, closeTimeout: 10, perMessageDeflate: { threshold: 0 } }
      const servers = {
        '/': new WebSocketServer({ ...options, path: '/', heartbeat: false }),
        '/limited': new WebSocketServer({
          ...options,
          path: '/limited',
          heartbeat: false,
          messageRate: { perSecond: 1e-6, burst: 3 },
          maxBufferedAmount: 150_000,
        }),
        '/watched': new WebSocketServer({
          ...options,
          path: '/watched',
          heartbeat: { interval: 4, timeout: 4 },
        }),
      }
      // What the failing listeners of the runs are reported to.
      for (const server of Object.values(servers)) server.on('error', () => undefined)
      http.listen(0, '127.0.0.1')
      await once(http, 'listening')
      onTestFinished(() => {
        http.close()
        for (const server of Object.values(servers)) server.close()
      })
      await fc.assert(
        fc.asyncProperty(
          commands,
          fc.constantFrom('/' as const, '/limited' as const, '/watched' as const),
          async (list, path) => {
            const server = servers[path]
            const connection = once(server, 'connection')
            const peer = await open(http, path)
            const [socket] = (await connection) as [WebSocket<undefined>]
            const room = new Hub().group('all').add(socket)
            const [model, subject] = [new Model(), new Subject(socket, peer)]
            // The peer answers no Ping, so that any of its silences may end the connection, and exceeds any limit.
            model.isOrderly = path === '/'
            await fc.asyncModelRun(() => ({ model, real: subject }), list)

            // What is left undone: the peer reads on, and leaves. What it sent beyond the 64 KiB that are read ahead of a
            // paused reader hides its FIN, until the reader resumes.
            peer.resume()
            if (!peer.writableEnded) peer.end()
            if (model.toUs.join('').length > 60_000) socket.resume()
            await subject.closed
            await turn()
            if (!peer.destroyed && !peer.readableEnded) await once(peer, 'end').catch(() => undefined)
            check(model, subject)
            expect(server.clients.has(socket)).toBe(false)
            expect(room.size).toBe(0)
            peer.destroy()
            await until(() => timers.live.size === 0)
          },
        ),
        { numRuns: runs(200) },
      )
    },
  )
})
