import { createHash } from 'node:crypto'
import { connect, type NetConnectOpts, type Socket } from 'node:net'

/** The GUID of RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** The head of an HTTP message. */
export interface HttpHead {
  /** The request line or the status line. */
  readonly line: string
  /** By lower-case name; repeated fields are joined with a comma. */
  readonly fields: ReadonlyMap<string, string>
  /** The bytes that arrived after the head. */
  readonly rest: Buffer
}

/** A complete HTTP response, up to the end of the connection. */
export interface HttpAnswer {
  readonly status: number
  readonly line: string
  /** By lower-case name; repeated fields are joined with a comma. */
  readonly fields: ReadonlyMap<string, string>
  readonly body: string
}

export function acceptFor(key: string): string {
  return createHash('sha1').update(`${key}${GUID}`).digest('base64')
}

/** The text of a head: its first line, its fields (except those that are `undefined`) and the empty line. */
export function headText(line: string, fields: Readonly<Record<string, string | undefined>>): string {
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}\r\n`],
  )
  return `${line}\r\n${lines.join('')}\r\n`
}

/** The text of a handshake that a server accepts, with fields replaced, added or (by `undefined`) left out. */
export function handshakeText(
  fields: Readonly<Record<string, string | undefined>> = {},
  line = 'GET / HTTP/1.1',
): string {
  return headText(line, {
    Host: '127.0.0.1',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...fields,
  })
}

/** Parses a head if it is complete: if its empty line has arrived. */
function parseHead(bytes: Buffer): HttpHead | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [line = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const fields = new Map<string, string>()
  for (const field of lines) {
    const colon = field.indexOf(':')
    const name = field.slice(0, colon).toLowerCase()
    const value = field.slice(colon + 1).trim()
    const before = fields.get(name)
    fields.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return { line, fields, rest: bytes.subarray(end + 4) }
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
      const head = parseHead(held)
      if (head === undefined) return
      stop()
      socket.pause()
      resolve(head)
    }
    socket.on('data', onData).on('error', onEnd).on('end', onEnd)
  })
}

/** Sends a request unchanged and reads until the server has ended the connection. */
export async function exchange(
  where: number | NetConnectOpts,
  request: string | Buffer,
): Promise<HttpAnswer> {
  const socket = typeof where === 'number' ? connect(where, '127.0.0.1') : connect(where)
  socket.write(request)
  return readAnswer(socket)
}

/** Reads an answer up to the end of the connection. */
export async function readAnswer(socket: Socket): Promise<HttpAnswer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  const bytes = Buffer.concat(chunks)
  // If the connection ends without a complete head, the bytes become the line, which the failing test then shows.
  const head = parseHead(bytes) ?? {
    line: bytes.toString(),
    fields: new Map<string, string>(),
    rest: Buffer.alloc(0),
  }
  const { line, fields, rest } = head
  return { status: Number(line.split(' ')[1]), line, fields, body: rest.toString() }
}
