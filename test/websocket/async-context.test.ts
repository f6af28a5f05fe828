import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { connect, WebSocket, WebSocketServer } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { settled } from '../support/event-loop.js'
import { startHttp } from '../support/http-server.js'

const storage = new AsyncLocalStorage<string>()

/** A server that accepts each connection in a context of its own, named for the connection's number. */
async function servedInContexts(perMessageDeflate = false): Promise<{ url: string; sockets: WebSocket[] }> {
  const { http, port } = await startHttp()
  const server = new WebSocketServer({ noServer: true, perMessageDeflate })
  const sockets: WebSocket[] = []
  http.on('upgrade', (request, socket, head) => {
    storage.run(`connection ${sockets.length}`, () => {
      server.handleUpgrade(request, socket, head, (webSocket) => {
        sockets.push(webSocket)
        server.emit('connection', webSocket, request)
      })
    })
  })
  onTestFinished(async () => {
    await server.shutdown({ timeout: 0 })
  })
  return { url: `ws://127.0.0.1:${port}`, sockets }
}

describe('the async context (F12)', () => {
  test('of each event is the one in which its connection was accepted', async () => {
    const { url, sockets } = await servedInContexts()
    const clients = [await connect(url), await connect(url)]
    const seen: string[] = []
    for (const [index, socket] of sockets.entries()) {
      for (const event of ['message', 'ping', 'pong', 'close'] as const) {
        socket.on(event, () => seen.push(`${index} ${event}: ${storage.getStore()}`))
      }
    }
    storage.run('outside', () => {
      for (const client of clients) {
        client.send('hello')
        client.ping()
        client.pong()
      }
    })
    await settled()
    for (const client of clients) client.close()
    await Promise.all(sockets.map(async (socket) => once(socket, 'close')))
    expect(seen.toSorted()).toEqual(
      [0, 1].flatMap((index) =>
        ['close', 'message', 'ping', 'pong'].map((event) => `${index} ${event}: connection ${index}`),
      ),
    )
  })

  test('of a send callback is the one of its send(), even if several share a write', async () => {
    const { url, sockets } = await servedInContexts()
    const client = await connect(url)
    const socket = sockets[0]!
    const seen: unknown[] = []
    await new Promise<void>((resolve) => {
      for (const user of ['first', 'second']) {
        storage.run(user, () => {
          socket.send(user, () => {
            if (seen.push([user, storage.getStore()]) === 2) resolve()
          })
        })
      }
    })
    expect(seen).toEqual([
      ['first', 'first'],
      ['second', 'second'],
    ])
    client.terminate()
  })

  test('is kept when messages are inflated in the thread pool', async () => {
    const { url, sockets } = await servedInContexts(true)
    const clients = await Promise.all(
      Array.from({ length: 12 }, async () => connect(url, { perMessageDeflate: true })),
    )
    const seen = await Promise.all(
      sockets.map(async (socket, index) => {
        const store = new Promise((resolve) => {
          socket.on('message', () => {
            resolve([index, storage.getStore()])
          })
        })
        clients[index]!.send('text that inflates '.repeat(20_000))
        return store
      }),
    )
    expect(seen).toEqual(sockets.map((_, index) => [index, `connection ${index}`]))
    for (const client of clients) client.terminate()
  })

  test("of 'drain' is the one of its connection", async () => {
    const { url, sockets } = await servedInContexts()
    const client = await connect(url)
    const socket = sockets[0]!
    const drained = new Promise((resolve) => {
      socket.on('drain', () => {
        resolve(storage.getStore())
      })
    })
    storage.run('outside', () => {
      socket.send(Buffer.alloc(4 * 1024 * 1024))
    })
    expect(await drained).toBe('connection 0')
    client.terminate()
  })

  test('of a client’s events is the one in which it was constructed', async () => {
    const { url, sockets } = await servedInContexts()
    const seen: unknown[] = []
    const client = storage.run('mine', () => new WebSocket(url))
    for (const event of ['open', 'message', 'close'] as const) {
      client.on(event, () => seen.push([event, storage.getStore()]))
    }
    await once(client, 'open')
    sockets[0]!.send('hello')
    await once(client, 'message')
    sockets[0]!.close()
    await once(client, 'close')
    expect(seen).toEqual([
      ['open', 'mine'],
      ['message', 'mine'],
      ['close', 'mine'],
    ])
  })
})
