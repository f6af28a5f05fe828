import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { WebSocket, WebSocketServer, type WebSocketOptions, type WebSocketServerOptions } from 'hubwire'
import { onTestFinished } from 'vitest'
import { MemoryDuplex } from './memory-duplex.js'

/** The two ends of a connection within the process, and their streams. */
export interface MemoryPair {
  readonly client: WebSocket
  readonly socket: WebSocket<undefined>
  /** The stream that the client writes to. */
  readonly clientEnd: MemoryDuplex
  /** The stream that the server writes to. */
  readonly serverEnd: MemoryDuplex
}

/** Opens a connection over memory, whose writes can be inspected and stalled. */
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
