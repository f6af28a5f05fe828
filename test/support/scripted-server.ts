import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { acceptFor, type HttpHead, readHead } from './http-exchange.js'

/** A TCP server that reads a request's header and then does what it is told, legal or not. It ends with the test. */
export async function scriptedServer(
  answer: (request: HttpHead, socket: Socket) => unknown,
): Promise<{ port: number; url: string; requests: HttpHead[] }> {
  const requests: HttpHead[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    // A client that has had enough resets the connection.
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
  const all: Record<string, string | undefined> = {
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Accept': acceptFor(request.fields.get('sec-websocket-key') ?? ''),
    ...fields,
  }
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}\r\n`],
  )
  return `${line}\r\n${lines.join('')}\r\n`
}
