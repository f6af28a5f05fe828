import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { refuse, type WebSocket, WebSocketServer, type WebSocketServerOptions } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Closed, closeOf } from '../support/close-of.js'
import { handshakeText, readAnswer, readHead } from '../support/http-exchange.js'
import { startHttp } from '../support/http-server.js'
import { inbox } from '../support/inbox.js'
import { clientFrame, FrameReader, opcode } from '../support/raw-frame.js'
import { endWithTest } from '../support/running-server.js'

type Options = WebSocketServerOptions<string>
type Authenticate = NonNullable<Options['authenticate']>

/** Starts a server that receives its upgrades in one of three ways. */
type Start = (options: Options) => Promise<{ server: WebSocketServer<string>; port: number }>

const starts: [string, Start][] = [
  [
    'port',
    async (options) => {
      const server = new WebSocketServer({ ...options, port: 0, host: '127.0.0.1' })
      await once(server, 'listening')
      return { server, port: (server.address() as { port: number }).port }
    },
  ],
  [
    'server',
    async (options) => {
      const { http, port } = await startHttp()
      return { server: new WebSocketServer({ ...options, server: http }), port }
    },
  ],
  [
    'noServer',
    async (options) => {
      const { http, port } = await startHttp()
      const server = new WebSocketServer({ ...options, noServer: true })
      http.on('upgrade', (request, socket, head) => {
        server.handleUpgrade(request, socket, head, (webSocket) => {
          server.emit('connection', webSocket, request)
        })
      })
      return { server, port }
    },
  ],
]

const checks: [string, Authenticate][] = [
  ['synchronous', () => 'ada'],
  ['asynchronous', () => Promise.resolve('ada')],
  // The FIN aborts its signal.
  [
    'slow',
    async (_request, { signal }) => {
      await once(signal, 'abort')
      return 'ada'
    },
  ],
]

describe.each(starts)('with %s, a client that sends FIN after its upgrade request', (_mode, start) => {
  test.each(checks)('is served after a check that is %s', async (_name, authenticate) => {
    const { server, port } = await start({ authenticate })
    endWithTest(server)
    const closed = new Promise<Closed>((resolve) => {
      server.on('connection', (socket) => {
        socket.send(`hello ${socket.user}`)
        resolve(closeOf(socket))
      })
    })
    const raw = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true })
    onTestFinished(() => {
      raw.destroy()
    })
    raw.end(handshakeText())
    const { line, rest } = await readHead(raw)
    expect(line).toMatch(/^HTTP\/1\.1 101 /)
    const reader = new FrameReader()
    const frames = reader.push(rest)
    raw.on('data', (chunk: Buffer) => frames.push(...reader.push(chunk)))
    // The server's FIN, after what it has sent.
    const ended = once(raw, 'end')
    raw.resume()
    await ended
    expect(frames.map(({ opcode: code, payload }) => [code, payload.toString()])).toEqual([
      [opcode.text, 'hello ada'],
    ])
    expect(await closed).toMatchObject({ code: 1006, initiator: 'remote', wasClean: false })
    expect(server.clients.size).toBe(0)
  })

  test('is read up to its FIN', async () => {
    const { server, port } = await start({ authenticate: () => Promise.resolve('ada') })
    endWithTest(server)
    const connection = once(server, 'connection')
    const raw = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true })
    onTestFinished(() => {
      raw.destroy()
    })
    raw.end(
      Buffer.concat([
        Buffer.from(handshakeText()),
        clientFrame({ opcode: opcode.text, payload: 'early' }),
        clientFrame({ opcode: opcode.close }),
      ]),
    )
    const [socket] = (await connection) as [WebSocket<string>]
    const closed = closeOf(socket)
    expect(await inbox(socket).next()).toBe('early')
    expect(await closed).toMatchObject({ code: 1005, wasClean: true })
  })

  test('receives the refusal of a check that ends after its FIN', async () => {
    const { server, port } = await start({
      authenticate: async (_request, { signal }) => {
        await once(signal, 'abort')
        return refuse(403)
      },
    })
    endWithTest(server)
    const raw = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true })
    raw.end(handshakeText())
    expect(await readAnswer(raw)).toMatchObject({ status: 403 })
  })

  test('receives a 503 after handshakeTimeout', async () => {
    const { server, port } = await start({
      handshakeTimeout: 500,
      authenticate: () => new Promise<string>(() => {}),
    })
    endWithTest(server)
    const raw = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true })
    raw.end(handshakeText())
    expect(await readAnswer(raw)).toMatchObject({ status: 503 })
  })
})
