import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { handshakeText, readHead } from './http-exchange.js'

/** Opens a connection whose peer reads nothing after the handshake, until its socket is resumed. */
export async function pausedClient(
  port: number,
  fields: Readonly<Record<string, string>> = {},
): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(handshakeText(fields))
  const { line, rest } = await readHead(socket)
  if (!line.startsWith('HTTP/1.1 101 ')) throw new Error(`the server refused the handshake: ${line}`)
  if (rest.length > 0) socket.unshift(rest)
  return socket
}
