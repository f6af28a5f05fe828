import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { acceptFor, headText, type HttpHead, readHead } from './http-exchange.js'

/** Starts a TCP server that reads the header of a request and then does what the test says, valid or not. */
export async function scriptedServer(
  answer: (request: HttpHead, socket: Socket) => unknown,
): Promise<{ port: number; url: string; requests: HttpHead[] }> {
  const requests: HttpHead[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    // A client that gives up resets the connection.
    socket.on('error', () => {})
    readHead(socket).then(
      (request) => {
        requests.push(request)
        answer(request, socket)
      },
      () => {},
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { port, url: `ws://127.0.0.1:${port}`, requests }
}

/** The header of a 101 answer that a client accepts, with fields replaced, added or (by `undefined`) left out. */
export function acceptance(
  request: HttpHead,
  fields: Readonly<Record<string, string | undefined>> = {},
  line = 'HTTP/1.1 101 Switching Protocols',
): string {
  return headText(line, {
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Accept': acceptFor(request.fields.get('sec-websocket-key') ?? ''),
    ...fields,
  })
}
