import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http'
import { connect as connectSocket, type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, type Path, WebSocket, WebSocketServer } from 'hubwire'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocketServer as WsServer } from 'ws'
import { settled } from '../support/event-loop.js'
import { exchange, handshakeText } from '../support/http-exchange.js'
import { startHttp } from '../support/http-server.js'
import { MemoryDuplex } from '../support/memory-duplex.js'
import { requestWith } from '../support/request.js'
import { inbox } from '../support/inbox.js'
import { closeOf } from '../support/close-of.js'
import { endWithTest } from '../support/running-server.js'

function startOurs(server: Server, path: Path): WebSocketServer {
  const ours = new WebSocketServer({ server, path })
  endWithTest(ours)
  ours.on('connection', (socket) => {
    socket.send('ours')
    socket.on('message', (data) => socket.send(data))
  })
  return ours
}

/** A `ws` server that takes the upgrades of its path, as its documentation shows for several on one http.Server. */
function startTheirs(server: Server, path: string): WsServer {
  const theirs = new WsServer({ noServer: true, path })
  theirs.on('connection', (socket) => {
    socket.send('theirs')
    socket.on('message', (data, isBinary) => {
      socket.send(data, { binary: isBinary })
    })
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!theirs.shouldHandle(request)) return
    theirs.handleUpgrade(request, socket, head, (webSocket) => theirs.emit('connection', webSocket, request))
  })
  onTestFinished(() => {
    for (const client of theirs.clients) client.terminate()
    theirs.close()
  })
  return theirs
}

/** The greeting of the server at a path, and its echo. */
async function talk(port: number, path: string): Promise<unknown[]> {
  const client = new WebSocket(`ws://127.0.0.1:${port}${path}`)
  const received = inbox(client)
  const greeting = await received.next()
  client.send('there and back')
  const echo = await received.next()
  client.terminate()
  return [greeting, echo]
}

describe('a `ws` server on the same http.Server', () => {
  test.each([
    ['added before ours', false],
    ['added after ours', true],
  ])('serves its own paths, and the http.Server the rest, if %s', async (_name, oursFirst) => {
    const { http, port } = await startHttp((request, response) => response.end(`plain ${request.url ?? ''}`))
    if (oursFirst) startOurs(http, '/ours')
    const theirs = startTheirs(http, '/theirs')
    if (!oursFirst) startOurs(http, '/ours')
    const second = startOurs(http, /^\/rooms\/(?<room>\w+)$/)
    for (let round = 0; round < 3; round++) {
      expect(await talk(port, '/ours')).toEqual(['ours', 'there and back'])
      expect(await talk(port, '/theirs')).toEqual(['theirs', 'there and back'])
      expect(await talk(port, `/rooms/${round}`)).toEqual(['ours', 'there and back'])
      expect((await exchange(port, 'GET /page HTTP/1.0\r\n\r\n')).body).toBe('plain /page')
    }
    const [a, b] = [
      await connect(`ws://127.0.0.1:${port}/rooms/a`),
      await connect(`ws://127.0.0.1:${port}/theirs`),
    ]
    // The shutdown of one server leaves the other one running.
    expect(await second.shutdown()).toMatchObject({ terminated: 0 })
    expect([a.readyState, b.readyState]).toEqual([WebSocket.CLOSED, WebSocket.OPEN])
    expect(await talk(port, '/theirs')).toEqual(['theirs', 'there and back'])
    expect(theirs.clients.size).toBeGreaterThan(0)
  })

  test('exchanges a thousand messages each way, separately from ours', async () => {
    const { http, port } = await startHttp()
    startOurs(http, '/ours')
    startTheirs(http, '/theirs')
    await Promise.all(
      ['ours', 'theirs'].map(async (name) => {
        const client = await connect(`ws://127.0.0.1:${port}/${name}`)
        const received = inbox(client)
        const expected = [name]
        for (let index = 0; index < 1000; index++) {
          client.send(`${name} ${index}`)
          expected.push(`${name} ${index}`)
        }
        const messages = []
        while (messages.length < expected.length) messages.push(await received.next())
        expect(messages).toEqual(expected)
        client.terminate()
      }),
    )
  })
})

describe('an upgrade to another protocol', () => {
  test('reaches its own listener with the bytes that follow the request', async () => {
    const { http, port } = await startHttp()
    const other = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      if (request.headers.upgrade !== 'shout/1') return
      socket.write('HTTP/1.1 101 Shouting\r\nConnection: Upgrade\r\nUpgrade: shout/1\r\n\r\n')
      socket.write(head.toString().toUpperCase())
      socket.on('data', (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()))
      socket.on('end', () => socket.end())
    }
    http.on('upgrade', other)
    startOurs(http, '/')
    const socket = connectSocket(port, '127.0.0.1')
    socket.write(`${handshakeText({ Upgrade: 'shout/1' })}hello, `)
    let text = ''
    for await (const chunk of socket) {
      text += (chunk as Buffer).toString()
      if (text.endsWith('HELLO, ')) socket.end('you there')
    }
    expect(text).toBe(
      'HTTP/1.1 101 Shouting\r\nConnection: Upgrade\r\nUpgrade: shout/1\r\n\r\nHELLO, YOU THERE',
    )
    expect(await talk(port, '/')).toEqual(['ours', 'there and back'])
  })

  test('is a plain request if shouldUpgradeCallback of the http.Server says so', async () => {
    // Node.js has this option since 24.9. Before that, the request reaches us as an upgrade and is handed back.
    const options: ServerOptions & { shouldUpgradeCallback: (request: IncomingMessage) => boolean } = {
      shouldUpgradeCallback: (request) => request.headers.upgrade === 'websocket',
    }
    const http = createServer(options, (_request, response) => response.end('plain')).listen(0, '127.0.0.1')
    await once(http, 'listening')
    onTestFinished(() => {
      http.close()
      http.closeAllConnections()
    })
    const { port } = http.address() as AddressInfo
    startOurs(http, '/')
    const answer = await exchange(port, handshakeText({ Upgrade: 'h2c', Connection: 'Upgrade, close' }))
    expect(answer).toMatchObject({ status: 200, body: 'plain' })
    expect(await talk(port, '/')).toEqual(['ours', 'there and back'])
  })
})

test.each([true, false])(
  'works beside `ws` with { server, path }; ours added first: %s',
  async (oursFirst) => {
    const { http, port } = await startHttp()
    const add = [
      (): void => {
        const ours = new WebSocketServer({ server: http, path: '/ours' })
        endWithTest(ours)
        ours.on('connection', (socket) => socket.send('ours'))
      },
      (): void => {
        const theirs = new WsServer({ server: http, path: '/theirs' })
        theirs.on('connection', (socket) => {
          socket.send('theirs')
        })
        onTestFinished(() => {
          for (const client of theirs.clients) client.terminate()
        })
      },
    ]
    for (const step of oursFirst ? add : add.reverse()) step()
    for (const name of ['theirs', 'ours']) {
      const client = new WebSocket(`ws://127.0.0.1:${port}/${name}`)
      const closed = closeOf(client)
      const first = await Promise.race([once(client, 'message'), closed])
      expect(first).toEqual([name, false])
      // The connection stays open until it is closed.
      client.close(1000)
      expect((await closed).code).toBe(1000)
    }
  },
)

describe('an upgrade that no server of ours owns, with other listeners (F10)', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })

  afterEach(() => {
    vi.useRealTimers()
  })

  /** Answers an upgrade long after the handshakeTimeout of our server, and before that of a client. */
  const answerLate = async (answer: () => void): Promise<void> => {
    await settled()
    vi.advanceTimersByTime(5000)
    answer()
  }

  test('is not answered by us, however long another listener takes', async () => {
    const { http, port } = await startHttp()
    endWithTest(new WebSocketServer({ server: http, path: '/ours', handshakeTimeout: 20 }))
    const other = new WsServer({ noServer: true })
    onTestFinished(() => {
      for (const client of other.clients) client.terminate()
    })
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      void answerLate(() => {
        other.handleUpgrade(request, socket, head, (webSocket) => {
          webSocket.send('late')
        })
      })
    })
    const client = new WebSocket(`ws://127.0.0.1:${port}/theirs`)
    expect(await once(client, 'message')).toEqual(['late', false])
    client.terminate()
  })

  test('is left alone on a stream that is not a net.Socket', async () => {
    const { http } = await startHttp()
    endWithTest(new WebSocketServer({ server: http, path: '/ours', handshakeTimeout: 20 }))
    const [here, there] = MemoryDuplex.pair()
    http.on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
      void answerLate(() => socket.end('theirs alone'))
    })
    const request = requestWith({ url: '/theirs', headers: { upgrade: 'websocket' } })
    http.emit('upgrade', request, here, Buffer.alloc(0))
    const chunks: Buffer[] = []
    for await (const chunk of there) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).toString()).toBe('theirs alone')
  })
})
