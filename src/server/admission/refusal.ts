import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { channels, type RefusalReason } from '../../connection/diagnostics.js'
import { encodeClose } from '../../protocol/close-codes.js'
import { joinLines } from '../../protocol/handshake.js'
import { isToken } from '../../protocol/header-grammar.js'

/** What a refusal answers beside its status. */
export interface RefusalOptions {
  /** Further header fields. */
  headers?: Readonly<Record<string, string>>
  /** The body, plain text unless `headers` say otherwise; the status's own words by default. */
  body?: string
}

/** A connection that is not wanted; made by {@link refuse}. */
export class Refusal extends Error {
  /** The HTTP status code, or 101 when the refusal is a Close frame. */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The code of the Close frame that refuses it after the handshake. */
  readonly closeCode: number | undefined
  readonly closeReason: string
  /** Why; a refusal that the application makes is `'application'`. */
  readonly reason: RefusalReason

  /** @internal */
  constructor(
    status: number,
    options: RefusalOptions,
    closeCode?: number,
    closeReason = '',
    reason: RefusalReason = 'application',
  ) {
    const phrase = STATUS_CODES[status] ?? 'Refused'
    super(closeCode === undefined ? `${status} ${phrase}` : `${closeCode} ${closeReason}`)
    this.name = 'Refusal'
    this.status = status
    this.headers = options.headers ?? {}
    this.body = options.body ?? `${phrase}\n`
    this.closeCode = closeCode
    this.closeReason = closeReason
    this.reason = reason
  }
}

interface Refuse {
  /**
   * A refusal as an HTTP answer, to be thrown or returned by `authenticate`. Browsers tell their page nothing of it but
   * that the connection failed: {@link Refuse.close} reaches the page.
   *
   * @param status - 400 to 599
   * @throws RangeError when the status is no error's
   * @throws TypeError when a header would break out of its line
   */
  (status: number, options?: RefusalOptions): Refusal
  /**
   * A refusal after the handshake: the connection is accepted and closed with this code, which a browser's page gets to
   * see. `'connection'` is not emitted.
   *
   * @param code - as a rule one of the application's own, 4000 to 4999
   * @throws TypeError when the code may not be sent
   * @throws RangeError when the reason is longer than 123 octets
   */
  close(code: number, reason?: string): Refusal
}

/** Makes the refusal of a connection. */
export const refuse: Refuse = Object.assign(
  (status: number, options: RefusalOptions = {}): Refusal => {
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError(`A refusal's status is 400 to 599; ${status} is not`)
    }
    return refusalFor('application', status, options)
  },
  {
    close(code: number, reason = ''): Refusal {
      encodeClose(code, reason)
      return new Refusal(101, {}, code, reason)
    },
  },
)

/** A refusal with a reason of the server's own. @throws TypeError when a header would break out of its line */
export function refusalFor(reason: RefusalReason, status: number, options: RefusalOptions): Refusal {
  const refusal = new Refusal(status, options, undefined, '', reason)
  responseText(refusal)
  return refusal
}

/** Tells those who subscribed that a handshake is refused. */
export function tellRefused(request: IncomingMessage, { status, reason }: Refusal): void {
  if (channels.refused.hasSubscribers) channels.refused.publish({ request, status, reason })
}

/** Answers an upgrade with a complete HTTP response, and ends the socket once that is flushed. */
export function writeRefusal(socket: Duplex, refusal: Refusal): void {
  socket.end(responseText(refusal))
  // A peer that keeps sending, or never ends its side, does not keep the socket.
  socket.once('finish', () => socket.destroy())
}

function responseText({ status, headers, body }: Refusal): string {
  const fields = new Map<string, string>([
    ['connection', 'Connection: close'],
    ['content-type', 'Content-Type: text/plain; charset=utf-8'],
    ['content-length', `Content-Length: ${Buffer.byteLength(body)}`],
  ])
  for (const [name, value] of Object.entries(headers)) {
    if (!isToken(name)) throw new TypeError(`${JSON.stringify(name)} is not the name of a header`)
    const key = name.toLowerCase()
    if (key !== 'connection' && key !== 'content-length') fields.set(key, `${name}: ${value}`)
  }
  return joinLines([`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`, ...fields.values()]) + body
}
