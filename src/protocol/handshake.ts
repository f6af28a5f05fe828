import { hash, randomBytes } from 'node:crypto'
import {
  type Extension,
  type HeaderSyntaxError,
  isFieldValue,
  isToken,
  listHas,
  parseExtensions,
  parseSubprotocols,
} from './header-grammar.js'

/** The protocol version of RFC 6455. */
export const VERSION = '13'

/** What a server appends to the key before it hashes both (RFC 6455 section 1.3). */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** The canonical base64 of 16 bytes: 22 digits, the last with its 4 spare bits clear, and the padding. */
const KEY = /^[A-Za-z\d+/]{21}[AQgw]==$/

/** Why an opening handshake failed: an invalid request, an invalid response, or a refusal. */
export type HandshakeErrorCode =
  'WS_ERR_INVALID_HANDSHAKE_REQUEST' | 'WS_ERR_INVALID_HANDSHAKE_RESPONSE' | 'WS_ERR_HANDSHAKE_REFUSED'

/** The further properties of a {@link HandshakeError}. */
export interface HandshakeErrorDetails {
  code?: HandshakeErrorCode
  body?: string
}

/** A failed opening handshake: on a server the HTTP response to send, on a client the response that it received. */
export class HandshakeError extends Error {
  /** Names the kind of failure; `'WS_ERR_INVALID_HANDSHAKE_REQUEST'` by default. */
  readonly code: HandshakeErrorCode
  /** The HTTP status code of the answer. */
  readonly status: number
  /**
   * On a server the header fields that the status requires; on a client those of the response, with names in lower
   * case.
   */
  readonly headers: Readonly<Record<string, string>>
  /** On a client the first 4 KiB of the response's body, or the part that arrived within a second. */
  readonly body: string | undefined

  constructor(
    status: number,
    message: string,
    headers: Readonly<Record<string, string>> = {},
    { code = 'WS_ERR_INVALID_HANDSHAKE_REQUEST', body }: HandshakeErrorDetails = {},
  ) {
    super(message)
    this.name = 'HandshakeError'
    this.code = code
    this.status = status
    this.headers = headers
    this.body = body
  }
}

/** The parts of an HTTP request that the opening handshake reads; `http.IncomingMessage` is one. Any may be missing. */
export interface OpeningRequest {
  readonly method?: string | undefined
  readonly httpVersion: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Names and values alternately, as they were received. */
  readonly rawHeaders: readonly string[]
}

/** The contents of a valid request. */
export interface Opening {
  /** The Sec-WebSocket-Key, for {@link acceptKey}. */
  key: string
  /** The subprotocols in the client's order of preference. */
  protocols: Set<string>
  /** The extensions in the client's order of preference. */
  extensions: Extension[]
}

/** How strictly a request is checked. */
export interface RequestRules {
  /** The values of Sec-WebSocket-Version to accept: 13, or 8 as well, which is a draft with the same frames. */
  readonly versions: readonly string[]
  /** The status for any other. */
  readonly statusOfVersion: number
  /** Whether HTTP/1.1 and its Host header are required. */
  readonly requiresHttp11: boolean
}

/** The rules of RFC 6455 section 4.2.1. @internal */
export const STRICT_REQUESTS: RequestRules = {
  versions: [VERSION],
  statusOfVersion: 426,
  requiresHttp11: true,
}

/** Headers that must not be repeated: two servers could read such a request in two ways. */
const SINGLE = new Set(['host', 'sec-websocket-key', 'sec-websocket-version', 'origin', 'content-length'])

/**
 * Checks a client's opening handshake (RFC 6455 section 4.2.1).
 *
 * @param rules - those of the RFC by default
 * @throws HandshakeError with the status to answer: 400, 405, 426 or 431
 */
export function readRequest(request: OpeningRequest, rules: RequestRules = STRICT_REQUESTS): Opening {
  if (request.method !== 'GET') throw new HandshakeError(405, 'The method must be GET', { Allow: 'GET' })
  if (rules.requiresHttp11 && request.httpVersion !== '1.1') {
    throw new HandshakeError(400, 'The request must be HTTP/1.1')
  }
  // A request that was not received from a client, such as in tests, may have no raw headers.
  refuseDuplicates(request.rawHeaders)
  if (rules.requiresHttp11 && !field(request, 'host')) {
    throw new HandshakeError(400, 'The Host header is missing')
  }
  if (!listHas(field(request, 'upgrade'), 'websocket')) {
    throw new HandshakeError(400, 'The Upgrade header must name websocket')
  }
  if (!listHas(field(request, 'connection'), 'upgrade')) {
    throw new HandshakeError(400, 'The Connection header must name Upgrade')
  }
  if (!rules.versions.includes(field(request, 'sec-websocket-version') ?? '')) {
    const versions = rules.versions.join(', ')
    throw new HandshakeError(rules.statusOfVersion, `The Sec-WebSocket-Version header must be ${versions}`, {
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': versions,
    })
  }
  const key = field(request, 'sec-websocket-key')
  if (key === undefined || !KEY.test(key)) {
    throw new HandshakeError(400, 'The Sec-WebSocket-Key header must be 16 bytes in base64')
  }
  const protocols = field(request, 'sec-websocket-protocol')
  const extensions = field(request, 'sec-websocket-extensions')
  try {
    return {
      key,
      protocols: protocols === undefined ? new Set() : parseSubprotocols(protocols),
      extensions: extensions === undefined ? [] : parseExtensions(extensions),
    }
  } catch (error) {
    const { tooLarge, message } = error as HeaderSyntaxError
    throw new HandshakeError(tooLarge ? 431 : 400, message)
  }
}

function field(request: OpeningRequest, name: string): string | undefined {
  const value: unknown = request.headers[name]
  // A request that was not received from a client may have the version as a number.
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

function refuseDuplicates(rawHeaders: readonly string[] = []): void {
  let seen: Set<string> | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase()
    if (!SINGLE.has(name)) continue
    seen ??= new Set()
    if (seen.has(name)) throw new HandshakeError(400, `The ${name} header is repeated`)
    seen.add(name)
  }
}

/** A new Sec-WebSocket-Key: 16 bytes from the system's random source, in base64 (RFC 6455 section 4.1). */
export function generateKey(): string {
  return randomBytes(16).toString('base64')
}

/** The Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 section 4.2.2). */
export function acceptKey(key: string): string {
  return hash('sha1', key + GUID, 'base64')
}

/** What a server accepts. */
export interface Acceptance {
  /** The client's Sec-WebSocket-Key. */
  key: string
  /** The subprotocol, if any was chosen. */
  protocol?: string
  /** The value of Sec-WebSocket-Extensions, if any was accepted. */
  extensions?: string
}

/** The header lines of a server's 101 answer (RFC 6455 section 4.2.2), the status line first, without line ends. */
export function acceptanceLines({ key, protocol = '', extensions = '' }: Acceptance): string[] {
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptKey(key)}`,
  ]
  if (protocol !== '') {
    if (!isToken(protocol)) throw new TypeError(`The subprotocol ${JSON.stringify(protocol)} is not a token`)
    lines.push(`Sec-WebSocket-Protocol: ${protocol}`)
  }
  if (extensions !== '') lines.push(`Sec-WebSocket-Extensions: ${extensions}`)
  return lines
}

/**
 * Joins header lines to the header of an answer.
 *
 * @throws TypeError when a line is empty, which would end the header, or has a control character such as CR or LF
 */
export function joinLines(lines: readonly string[]): string {
  for (const line of lines) {
    if (line === '' || !isFieldValue(line)) {
      throw new TypeError(
        `A header line must not be empty or have control characters: ${JSON.stringify(line)}`,
      )
    }
  }
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** The parts of an HTTP answer that the opening handshake reads; `http.IncomingMessage` is one. */
export interface OpeningResponse {
  readonly statusCode?: number | undefined
  readonly statusMessage?: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** What a client has offered. */
export interface Offered {
  /** The Sec-WebSocket-Key. */
  key: string
  /** The subprotocols. */
  protocols: ReadonlySet<string>
}

/** What is wrong with an answer that does not switch to WebSocket in one of the two headers. */
export const NO_UPGRADE = 'Invalid Upgrade header: the server did not name websocket'
export const NO_CONNECTION = 'Invalid Connection header: the server did not name Upgrade'

/**
 * Checks a server's answer (RFC 6455 section 4.1) except for the parameters of extensions.
 *
 * @returns the chosen subprotocol (or `''`) and the accepted extensions
 * @throws HandshakeError that describes the server's mistake
 */
export function readResponse(
  response: OpeningResponse,
  offered: Offered,
): { protocol: string; extensions: Extension[] } {
  const status = response.statusCode ?? 0
  const refuse = (message: string): never => {
    throw invalidResponse(status, message)
  }
  const value = (name: string): string | undefined => {
    const found = response.headers[name]
    return typeof found === 'string' ? found : undefined
  }
  if (status !== 101) throw refused(response)
  if (value('upgrade')?.toLowerCase() !== 'websocket') refuse(NO_UPGRADE)
  if (!listHas(value('connection'), 'upgrade')) refuse(NO_CONNECTION)
  if (value('sec-websocket-accept') !== acceptKey(offered.key)) {
    refuse('Invalid Sec-WebSocket-Accept header: it does not match the key')
  }
  const protocol = value('sec-websocket-protocol')
  if (protocol !== undefined && !offered.protocols.has(protocol)) {
    refuse(
      offered.protocols.size === 0
        ? 'Server sent a subprotocol but none was requested'
        : 'Server sent an invalid subprotocol: it was not offered',
    )
  }
  if (protocol === undefined && offered.protocols.size > 0)
    refuse('Server sent no subprotocol, though some were offered')
  const extensions = value('sec-websocket-extensions')
  if (extensions === undefined) return { protocol: protocol ?? '', extensions: [] }
  try {
    return { protocol: protocol ?? '', extensions: parseExtensions(extensions) }
  } catch (error) {
    throw invalidExtensions((error as Error).message)
  }
}

/** The error for an answer that accepts, but violates the rules. */
export function invalidResponse(status: number, message: string): HandshakeError {
  return new HandshakeError(status, message, {}, { code: 'WS_ERR_INVALID_HANDSHAKE_RESPONSE' })
}

/** The error for an answer with extensions that are not valid, or were not offered. */
export function invalidExtensions(why: string): HandshakeError {
  return invalidResponse(101, `Invalid Sec-WebSocket-Extensions header: ${why}`)
}

/** The header fields of an answer, one text each. */
export function fieldsOf(response: OpeningResponse): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) fields[name] = typeof value === 'string' ? value : value.join(', ')
  }
  return fields
}

const UNEXPECTED = 'Unexpected server response: '

/** The error for an answer that does not accept, of which only the status is shown. */
export function refusedByStatus(response: OpeningResponse): HandshakeError {
  return refused(response, undefined, `${UNEXPECTED}${response.statusCode ?? 0}`)
}

/**
 * The error for an answer that does not accept.
 *
 * @param body - as far as it was read
 * @param message - by default the status, and the body if that is a short text
 */
export function refused(
  response: OpeningResponse,
  body?: string,
  message: string = refusalMessage(response, body),
): HandshakeError {
  const details = {
    code: 'WS_ERR_HANDSHAKE_REFUSED',
    ...(body === undefined ? undefined : { body }),
  } as const
  return new HandshakeError(response.statusCode ?? 0, message, fieldsOf(response), details)
}

/** The longest text of a peer that an error message shows, in characters. */
const LONGEST_SHOWN = 200

/** Content types that an error message shows. The HTML page of a proxy is not shown. */
const READABLE = /^(text\/plain|application\/([\w.-]+\+)?json)\b/i

function refusalMessage({ statusCode = 0, statusMessage = '', headers }: OpeningResponse, body = ''): string {
  const phrase = oneLine(statusMessage).slice(0, LONGEST_SHOWN)
  // Without an error status and its phrase, the message would not say that something went wrong.
  const isPlain = phrase !== '' && statusCode >= 400
  const status = `${isPlain ? '' : UNEXPECTED}${statusCode} ${phrase}`.trim()
  const type = headers['content-type'] ?? 'text/plain'
  if (typeof type !== 'string' || !READABLE.test(type) || headers['content-encoding'] !== undefined)
    return status
  const text = oneLine(body)
  return text === '' || text === phrase || text.length > LONGEST_SHOWN ? status : `${status}: ${text}`
}

/** The peer's text is logged, so control characters, including line breaks, are replaced by spaces. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
}
