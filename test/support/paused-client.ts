import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { handshakeText, readHead } from './http-exchange.js'
import { frameBytes, opcode } from './raw-frame.js'

/** Opens a connection and reads no more of it: a peer that is there and takes nothing, until its socket is resumed. */
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

/** A frame as a client sends it. */
export function clientFrame(code: keyof typeof opcode, payload: string | Buffer = '', fin = true): Buffer {
  return frameBytes({ opcode: opcode[code], payload, fin, key: randomBytes(4) })
}
