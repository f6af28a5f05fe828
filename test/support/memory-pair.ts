import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { WebSocket, WebSocketServer, type WebSocketOptions, type WebSocketServerOptions } from 'hubwire'
import { onTestFinished } from 'vitest'
import { MemoryDuplex } from './memory-duplex.js'

/** The two ends of a connection within the process, and what each stands on. */
export interface MemoryPair {
  readonly client: WebSocket
  readonly socket: WebSocket<undefined>
  /** What the client writes to. */
  readonly clientEnd: MemoryDuplex
  /** What the server writes to. */
  readonly serverEnd: MemoryDuplex
}

/** Opens a connection over memory, of which each write can be seen and held back. */
export async function memoryPair(
  options: { server?: WebSocketServerOptions; client?: WebSocketOptions } = {},
): Promise<MemoryPair> {
  const [clientEnd, serverEnd] = MemoryDuplex.pair()
  const http = createServer()
  const server = new WebSocketServer({ ...options.server, server: http })
  const client = new WebSocket('ws://memory/', {
    ...options.client,
    createConnection: () => clientEnd,
  })
  onTestFinished(() => {
    clientEnd.destroy()
    serverEnd.destroy()
    server.close()
  })
  http.emit('connection', serverEnd)
  const [[socket]] = (await Promise.all([once(server, 'connection'), once(client, 'open')])) as unknown as [
    [WebSocket<undefined>, IncomingMessage],
    [],
  ]
  clientEnd.batches.length = 0
  serverEnd.batches.length = 0
  return { client, socket, clientEnd, serverEnd }
}
