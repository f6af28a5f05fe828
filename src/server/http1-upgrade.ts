import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  HandshakeError,
  joinLines,
  type Opening,
  readRequest,
  type RequestRules,
} from '../protocol/handshake.js'
import { listHas } from '../protocol/header-grammar.js'
import { phraseOf, type Refusal } from './admission/refusal.js'

// The parts of an opening handshake that depend on HTTP/1.1: reading the request, and writing the response.

/** Whether a request asks for WebSocket, not for another protocol. */
export function isToWebSocket(request: IncomingMessage): boolean {
  return listHas(request.headers.upgrade, 'websocket')
}

/**
 * Checks the request of an opening handshake.
 *
 * @throws HandshakeError with the status to respond with
 */
export function readUpgrade(request: IncomingMessage, rules: RequestRules): Opening {
  // The bytes of a body would be read as frames, or the frames as a body (RFC 9110 section 7.8).
  const { 'transfer-encoding': encoding, 'content-length': length } = request.headers
  if (encoding !== undefined || (length !== undefined && Number(length) !== 0)) {
    throw new HandshakeError(400, 'The request must not have a body')
  }
  return readRequest(request, rules)
}

/**
 * Responds to an upgrade with a complete HTTP response, and closes the socket once that is flushed, or after
 * `closeTimeout` milliseconds if the peer does not read it.
 */
export function writeRefusal(socket: Duplex, refusal: Refusal, closeTimeout: number): void {
  const destroy = (): void => {
    socket.destroy()
  }
  socket.end(refusalBytes(refusal))
  // A peer that keeps sending, or never ends its side, must not keep the socket.
  socket.once('finish', destroy)
  if (closeTimeout === Infinity) return
  const timer = setTimeout(destroy, closeTimeout)
  socket.once('close', () => {
    clearTimeout(timer)
  })
}

function refusalBytes({ status, headers, body }: Refusal): Buffer {
  const fields = new Map<string, string>([
    ['connection', 'Connection: close'],
    ['content-type', 'Content-Type: text/plain; charset=utf-8'],
    ['content-length', `Content-Length: ${Buffer.byteLength(body)}`],
  ])
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase()
    if (key !== 'connection' && key !== 'content-length') fields.set(key, `${name}: ${value}`)
  }
  const head = joinLines([`HTTP/1.1 ${status} ${phraseOf(status)}`, ...fields.values()])
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)])
}
