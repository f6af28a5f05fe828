import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type WebSocket, type WebSocketServerOptions } from 'hubwire'
import { onTestFinished } from 'vitest'
import { endWithTest, runningServer } from './running-server.js'

/** A server in one of its three places, and the sockets that it has accepted. */
export interface Placed {
  readonly server: WebSocketServer<unknown>
  readonly port: number
  readonly accepted: WebSocket[]
}

/** Options in any place, with functions of any type: JavaScript has no others. */
export type AnyOptions = Readonly<Record<string, unknown>>

type Start = (options: AnyOptions) => Promise<Placed>

async function overHttp(options: AnyOptions, isShared: boolean): Promise<Placed> {
  const http = createServer().listen(0, '127.0.0.1')
  await once(http, 'listening')
  onTestFinished(() => {
    http.close()
    http.closeAllConnections()
  })
  const where = isShared ? { server: http } : { noServer: true }
  const server = new WebSocketServer<unknown>({ ...options, ...where })
  endWithTest(server)
  const accepted: WebSocket[] = []
  server.on('connection', (socket) => accepted.push(socket))
  if (!isShared) {
    http.on('upgrade', (request, socket, head) => {
      server.handleUpgrade(request, socket, head, (webSocket) => {
        server.emit('connection', webSocket, request)
      })
    })
  }
  return { server, port: (http.address() as AddressInfo).port, accepted }
}

/** Where a server may be: on a port of its own, on an `http.Server` that it shares, or fed by the application. */
export const threePlaces: readonly [name: string, start: Start][] = [
  [
    'port',
    async (options) => {
      const { server, port } = await runningServer<unknown>(options as WebSocketServerOptions<unknown>)
      const accepted: WebSocket[] = []
      server.on('connection', (socket) => accepted.push(socket))
      return { server, port, accepted }
    },
  ],
  ['server', (options) => overHttp(options, true)],
  ['noServer', (options) => overHttp(options, false)],
]
