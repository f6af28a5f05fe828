import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { RawPeer } from './raw-peer.js'

/** The GUID of RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** The head of an HTTP message: its first line, its fields by lower-case name, and what came after it. */
export interface HttpHead {
  readonly line: string
  readonly fields: ReadonlyMap<string, string>
  readonly rest: Buffer
}

export function acceptFor(key: string): string {
  return createHash('sha1').update(`${key}${GUID}`).digest('base64')
}

function parseHead(head: string, rest: Buffer): HttpHead {
  const [line = '', ...lines] = head.split('\r\n')
  const fields = new Map<string, string>()
  for (const field of lines) {
    const colon = field.indexOf(':')
    const name = field.slice(0, colon).toLowerCase()
    const value = field.slice(colon + 1).trim()
    const before = fields.get(name)
    fields.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return { line, fields, rest }
}

/** Reads up to the empty line that ends an HTTP head. Rejects if the connection ends before it. */
export function readHead(socket: Socket): Promise<HttpHead> {
  return new Promise((resolve, reject) => {
    let held = Buffer.alloc(0)
    const stop = (): void => {
      socket.off('data', onData).off('error', onEnd).off('end', onEnd)
    }
    const onEnd = (): void => {
      stop()
      reject(
        new Error(
          `the connection ended within the opening handshake, after ${JSON.stringify(held.toString())}`,
        ),
      )
    }
    const onData = (chunk: Buffer): void => {
      held = Buffer.concat([held, chunk])
      const end = held.indexOf('\r\n\r\n')
      if (end < 0) return
      stop()
      socket.pause()
      resolve(parseHead(held.subarray(0, end).toString('latin1'), held.subarray(end + 4)))
    }
    socket.on('data', onData).on('error', onEnd).on('end', onEnd)
  })
}

/** Opens a connection in the client's role. Rejects unless the server switches protocols with the right accept. */
export async function openAsClient(
  port: number,
  fields: Readonly<Record<string, string>> = {},
  path = '/',
): Promise<{ peer: RawPeer; response: HttpHead }> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const key = randomBytes(16).toString('base64')
  const request = {
    Host: `127.0.0.1:${port}`,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': key,
    'Sec-WebSocket-Version': '13',
    ...fields,
  }
  const lines = Object.entries(request).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
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
  const response = {
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Accept': acceptFor(request.fields.get('sec-websocket-key') ?? ''),
    ...fieldsFor(request),
  }
  const lines = Object.entries(response).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`)
  return { peer: new RawPeer(socket, 'server', request.rest), request }
}
