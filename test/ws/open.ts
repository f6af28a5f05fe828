import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { type ClientOptions, type ServerOptions, WebSocket, WebSocketServer } from 'hubwire/ws'

export interface Pair {
  readonly server: WebSocketServer
  readonly client: WebSocket
  readonly accepted: WebSocket
}

/** A server on a free port, which ends with the test. */
export async function listen(options: ServerOptions = {}): Promise<{ server: WebSocketServer; url: string }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options })
  onTestFinished(async () => {
    for (const socket of server.clients) socket.terminate()
    await new Promise<void>((resolve) => {
      server.close(() => {
        resolve()
      })
    })
  })
  await once(server, 'listening')
  return { server, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** Both ends of an open connection. */
export async function open(serverOptions?: ServerOptions, clientOptions?: ClientOptions): Promise<Pair> {
  const { server, url } = await listen(serverOptions)
  const connection = once(server, 'connection') as Promise<[WebSocket]>
  const client = new WebSocket(url, clientOptions)
  onTestFinished(() => {
    client.on('error', () => undefined)
    client.terminate()
  })
  const [[accepted]] = await Promise.all([connection, once(client, 'open')])
  return { server, client, accepted }
}
