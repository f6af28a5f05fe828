import type { IncomingMessage, Server } from 'node:http'
import { Duplex } from 'node:stream'
import { tls } from '../options/builtin-modules.js'

/**
 * Hands an upgrade without an owner back to its HTTP server as a plain request, which RFC 9110 section 7.8
 * allows: the request is put back into its socket without the Upgrade header, and the socket into the
 * server. Listeners of the server's `'connection'` event (`'secureConnection'` with TLS) run a second time for it.
 */
export function giveBack(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  let stream = socket
  if (request.complete) socket.unshift(Buffer.concat([headOf(request), parsedBody(request), head]))
  else stream = new BodyFirst(Buffer.concat([headOf(request), head]), request, socket)
  const before = REPEATED.map((event) => stream.rawListeners(event))
  server.emit(server instanceof tls().Server ? 'secureConnection' : 'connection', stream)
  // Node.js adds these listeners each time, and keeps them across an upgrade. On a connection that upgrades
  // repeatedly they would accumulate.
  for (const [index, event] of REPEATED.entries()) {
    const after = stream.rawListeners(event)
    for (const listener of before[index] ?? []) {
      if (after.indexOf(listener) !== after.lastIndexOf(listener)) {
        stream.removeListener(event, listener as () => void)
      }
    }
  }
}

const REPEATED = ['resume', 'pause'] as const

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let text = `${method ?? 'GET'} ${url ?? '/'} HTTP/${httpVersion}\r\n`
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!
    if (name.toLowerCase() !== 'upgrade') text += `${name}: ${rawHeaders[index + 1]!}\r\n`
  }
  return Buffer.from(`${text}\r\n`, 'latin1')
}

/** Node.js parses the body of an upgrade since version 26. Before, the body is in `head` and in the socket. */
const PARSES_BODIES = Number.parseInt(process.versions.node, 10) >= 26

/** The body of a completely parsed request, as it was on the wire. */
function parsedBody(request: IncomingMessage): Buffer {
  const chunks: Buffer[] = []
  for (let chunk = readChunk(request); chunk !== null; chunk = readChunk(request)) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  if (!isChunked(request) || !(PARSES_BODIES || body.length > 0)) return body
  return body.length === 0 ? LAST_CHUNK : Buffer.concat([chunkOf(body), LAST_CHUNK])
}

function readChunk(request: IncomingMessage): Buffer | null {
  return request.read() as Buffer | null
}

function isChunked(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined
}

function chunkOf(data: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')])
}

const LAST_CHUNK = Buffer.from('0\r\n\r\n')

/**
 * While the body of an upgrade has not been parsed completely, Node.js passes a stream instead of the socket, which
 * has the bytes after the body. This stream has the request in front of them, as it was on the wire.
 */
class BodyFirst extends Duplex {
  readonly #rest: Duplex
  readonly #request: IncomingMessage
  readonly #chunks: AsyncIterator<Buffer>

  constructor(head: Buffer, request: IncomingMessage, rest: Duplex) {
    super()
    this.#rest = rest
    this.#request = request
    this.#chunks = this.#read(head)
    // The members of a socket that an HTTP server and its application use, in addition to those of a stream.
    for (const name of SOCKET_PROPERTIES) {
      const descriptor = { get: (): unknown => Reflect.get(request.socket, name) as unknown }
      if (name in request.socket) Object.defineProperty(this, name, descriptor)
    }
    request.socket.on('timeout', () => this.emit('timeout'))
    rest.on('error', (error) => this.destroy(error))
    rest.on('close', () => this.destroy())
  }

  setTimeout(milliseconds: number, callback?: () => void): this {
    this.#request.socket.setTimeout(milliseconds)
    if (callback !== undefined) this.once('timeout', callback)
    return this
  }

  override _read(): void {
    this.#chunks.next().then(
      ({ done, value }) => {
        this.push(done === true ? null : value)
      },
      (error: unknown) => this.destroy(error as Error),
    )
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#rest.write(chunk, callback)
  }

  override _final(callback: () => void): void {
    this.#rest.end(callback)
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#rest.destroy()
    callback(error)
  }

  async *#read(head: Buffer): AsyncGenerator<Buffer, void, undefined> {
    yield head
    const chunked = isChunked(this.#request)
    for await (const data of this.#request as AsyncIterable<Buffer>) yield chunked ? chunkOf(data) : data
    if (chunked) yield LAST_CHUNK
    yield* this.#rest as AsyncIterable<Buffer>
  }
}

const SOCKET_PROPERTIES = [
  'remoteAddress',
  'remotePort',
  'remoteFamily',
  'localAddress',
  'localPort',
  'encrypted',
  'authorized',
]
