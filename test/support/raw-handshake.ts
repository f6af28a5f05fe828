import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { acceptFor, handshakeText, type HttpHead, readHead } from './http-exchange.js'
import { RawPeer } from './raw-peer.js'
import { acceptance } from './scripted-server.js'

/** Opens a connection in the client's role. Rejects unless the server switches protocols with the right accept value. */
export async function openAsClient(
  port: number,
  fields: Readonly<Record<string, string>> = {},
  path = '/',
): Promise<{ peer: RawPeer; response: HttpHead }> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const key = randomBytes(16).toString('base64')
  socket.write(
    handshakeText({ Host: `127.0.0.1:${port}`, 'Sec-WebSocket-Key': key, ...fields }, `GET ${path} HTTP/1.1`),
  )
  const response = await readHead(socket)
  if (
    !response.line.startsWith('HTTP/1.1 101 ') ||
    response.fields.get('sec-websocket-accept') !== acceptFor(key)
  ) {
    socket.destroy()
    throw new Error(`the server refused the opening handshake: ${response.line}`)
  }
  return { peer: new RawPeer(socket, 'client', response.rest), response }
}

/** Answers the opening handshake on an accepted connection in the server's role. */
export async function answerAsServer(
  socket: Socket,
  fieldsFor: (request: HttpHead) => Readonly<Record<string, string>> = () => ({}),
): Promise<{ peer: RawPeer; request: HttpHead }> {
  const request = await readHead(socket)
  socket.write(acceptance(request, fieldsFor(request)))
  return { peer: new RawPeer(socket, 'server', request.rest), request }
}
