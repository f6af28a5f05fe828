import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type WebSocket, type WebSocketServerOptions } from 'hubwire'
import { onTestFinished } from 'vitest'
import { Queue } from './queue.js'

export interface Accepted<User> {
  readonly socket: WebSocket<User>
  readonly request: IncomingMessage
}

/** A server that runs until the test ends. */
export interface RunningServer<User> {
  readonly server: WebSocketServer<User>
  readonly port: number
  /** `ws://127.0.0.1:port` */
  readonly url: string
  /** The connections that it accepted, in order. */
  next(): Promise<Accepted<User>>
}

/** Ends a server when the test ends, whatever its state. */
export function endWithTest<User>(server: WebSocketServer<User>): void {
  onTestFinished(async () => {
    await server.shutdown({ timeout: 0 })
  })
}

/** Starts a server on a free port of 127.0.0.1. */
export function runningServer(): Promise<RunningServer<undefined>>
export function runningServer<User = undefined>(
  options: WebSocketServerOptions<User, boolean>,
): Promise<RunningServer<User>>
export async function runningServer<User>(
  options?: WebSocketServerOptions<User, boolean>,
): Promise<RunningServer<User>> {
  const where = { port: 0, host: '127.0.0.1' }
  const server = new WebSocketServer<User>({ ...where, ...options } as WebSocketServerOptions<User>)
  const accepted = new Queue<Accepted<User>>()
  server.on('connection', (socket, request) => {
    accepted.push({ socket, request })
  })
  await once(server, 'listening')
  endWithTest(server)
  const { port } = server.address() as AddressInfo
  return { server, port, url: `ws://127.0.0.1:${port}`, next: () => accepted.next() }
}
