import { connect, type NetConnectOpts, type Socket } from 'node:net'

/** A whole HTTP answer, up to the end of the connection. */
export interface HttpAnswer {
  readonly status: number
  readonly line: string
  /** By lower-case name; what stood twice is joined by a comma. */
  readonly fields: ReadonlyMap<string, string>
  readonly body: string
}

/** The text of a handshake that a server accepts, with fields replaced, added or (by `undefined`) left out. */
export function handshakeText(
  fields: Readonly<Record<string, string | undefined>> = {},
  line = 'GET / HTTP/1.1',
): string {
  const all: Record<string, string | undefined> = {
    Host: '127.0.0.1',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...fields,
  }
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}\r\n`],
  )
  return `${line}\r\n${lines.join('')}\r\n`
}

/** Sends a request as it stands and reads until the server has ended the connection. */
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
  return parse(Buffer.concat(chunks).toString())
}

function parse(text: string): HttpAnswer {
  const end = text.indexOf('\r\n\r\n')
  const [line = '', ...lines] = text.slice(0, end).split('\r\n')
  const fields = new Map<string, string>()
  for (const field of lines) {
    const colon = field.indexOf(':')
    const name = field.slice(0, colon).toLowerCase()
    const value = field.slice(colon + 1).trim()
    const before = fields.get(name)
    fields.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return { status: Number(line.split(' ')[1]), line, fields, body: end < 0 ? '' : text.slice(end + 4) }
}
