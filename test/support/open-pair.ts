import type { IncomingMessage } from 'node:http'
import { connect, type WebSocket, type WebSocketOptions, type WebSocketServerOptions } from 'hubwire'
import { runningServer, type RunningServer } from './running-server.js'

/** The two ends of one connection. */
export interface OpenPair {
  readonly running: RunningServer<undefined>
  readonly client: WebSocket
  /** The server's end. */
  readonly socket: WebSocket<undefined>
  readonly request: IncomingMessage
}

/** Starts a server and connects to it. Both are closed after the test. */
export async function openPair(
  options: { server?: WebSocketServerOptions<undefined, boolean>; client?: WebSocketOptions } = {},
): Promise<OpenPair> {
  const running = await runningServer(options.server ?? {})
  const [client, { socket, request }] = await Promise.all([
    connect(running.url, options.client),
    running.next(),
  ])
  return { running, client, socket, request }
}
