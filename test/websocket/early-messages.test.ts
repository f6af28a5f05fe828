import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createWebSocketStream, routes, type WebSocket } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { clientFrame, opcode } from '../support/raw-frame.js'
import { inbox, take } from '../support/inbox.js'
import { pausedClient } from '../support/paused-client.js'
import { Queue } from '../support/queue.js'
import { endWithTest, runningServer } from '../support/running-server.js'

const text = (payload: string): Buffer => clientFrame({ opcode: opcode.text, payload })

/** How an application comes to consume messages. */
const consumers: Record<string, (socket: WebSocket<never>) => Promise<unknown>> = {
  "on('message')": async (socket) => inbox(socket).next(),
  "once('message')": async (socket) => {
    const [data] = (await once(socket, 'message')) as [unknown]
    return data
  },
  addEventListener: async (socket) =>
    new Promise((resolve) => {
      socket.addEventListener('message', ({ data }) => {
        resolve(data)
      })
    }),
  onmessage: async (socket) =>
    new Promise((resolve) => {
      socket.onmessage = ({ data }) => {
        resolve(data)
      }
    }),
  'a for await loop': async (socket) => {
    for await (const data of socket) return data
    return undefined
  },
  'a stream': async (socket) => {
    for await (const chunk of createWebSocketStream(socket)) return String(chunk)
    return undefined
  },
}

describe.each(Object.entries(consumers))('%s', (_name, consume) => {
  test("receives a message that arrived while an async 'connection' listener was running", async () => {
    const running = await runningServer()
    const received = new Promise((resolve) => {
      running.server.on('connection', async (socket) => {
        await settled()
        resolve(await consume(socket as WebSocket<never>))
      })
    })
    const peer = await pausedClient(running.port)
    peer.write(text('early'))
    expect(await received).toBe('early')
    peer.destroy()
  })

  test('receives a message that arrived while an async route handler was running (N3)', async () => {
    const received = new Queue<unknown>()
    const server = routes(
      {
        '/chat/:room': async (socket: WebSocket) => {
          await settled()
          received.push(await consume(socket as WebSocket<never>))
        },
      },
      { port: 0, host: '127.0.0.1' },
    )
    endWithTest(server)
    await once(server, 'listening')
    const client = await connect(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/chat/lobby`)
    client.send('early')
    expect(await received.next()).toBe('early')
    client.terminate()
  })

  test('receives what the server sent at once, when added well after await connect()', async () => {
    const running = await runningServer()
    running.server.on('connection', (socket) => {
      socket.send('welcome')
    })
    const client = await connect(running.url)
    await settled()
    expect(await consume(client as WebSocket<never>)).toBe('welcome')
    client.terminate()
  })
})

describe('early messages', () => {
  test('are delivered in order, together with later ones', async () => {
    const running = await runningServer()
    const received = new Promise<unknown>((resolve) => {
      running.server.on('connection', async (socket) => {
        await settled()
        resolve(await take(inbox(socket), 4))
      })
    })
    const peer = await pausedClient(running.port)
    peer.write(Buffer.concat([text('a'), text('b')]))
    await settled()
    peer.write(Buffer.concat([text('c'), text('d')]))
    expect(await received).toEqual(['a', 'b', 'c', 'd'])
    peer.destroy()
  })

  test("wait for every 'connection' listener and for the callback of handleUpgrade", async () => {
    const running = await runningServer()
    const seen: string[] = []
    running.server.on('connection', async () => {
      await settled()
      seen.push('first')
    })
    running.server.on('connection', async (socket) => {
      await settled()
      await settled()
      seen.push('second')
      socket.on('message', (data) => seen.push(data as string))
    })
    const peer = await pausedClient(running.port)
    peer.write(text('early'))
    while (seen.length < 3) await settled()
    expect(seen).toEqual(['first', 'second', 'early'])
    peer.destroy()
  })

  test('do not delay the answer to a Ping', async () => {
    const running = await runningServer()
    running.server.on('connection', async (socket) => {
      await once(socket, 'close')
    })
    const client = await connect(running.url)
    client.ping('alive')
    const [payload] = (await once(client, 'pong')) as [Buffer]
    expect(payload.toString()).toBe('alive')
    client.close()
    expect(await closeOf(client)).toMatchObject({ wasClean: true })
  })

  test('are not held if the listeners are synchronous and add no consumer', async () => {
    const running = await runningServer()
    const client = await connect(running.url)
    const { socket } = await running.next()
    client.send('nobody listens')
    client.close(1000)
    expect(await closeOf(socket)).toMatchObject({ wasClean: true, dropped: 0 })
  })

  test('are bounded by backpressure', async () => {
    const running = await runningServer()
    const connection = once(running.server, 'connection')
    let goOn = (): void => undefined
    running.server.on('connection', async () => {
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
    })
    const peer = await pausedClient(running.port)
    const [, request] = (await connection) as [unknown, { socket: { bytesRead: number } }]
    const chunk = Buffer.concat(Array.from({ length: 64 }, () => text('x'.repeat(1000))))
    while (peer.writableLength < 1024 * 1024) {
      peer.write(chunk)
      await settled()
    }
    const read = request.socket.bytesRead
    await settled()
    expect(request.socket.bytesRead).toBe(read)
    expect(read).toBeLessThan(512 * 1024)
    goOn()
    peer.destroy()
  })
})
