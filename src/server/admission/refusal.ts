import type { IncomingMessage } from 'node:http'
import { channels, type RefusalReason } from '../../connection/diagnostics.js'
import { http } from '../../options/builtin-modules.js'
import { withoutNulls } from '../../options/checks.js'
import { describe } from '../../options/describe.js'
import { encodeClose } from '../../protocol/close-codes.js'
import { isFieldValue, isToken } from '../../protocol/header-grammar.js'

/** The Retry-After of a refusal because of a limit or a shutdown, in seconds. */
export const RETRY_AFTER = '5'

/** What a refusal contains besides its status. */
export interface RefusalOptions {
  /** Further header fields. */
  headers?: Readonly<Record<string, string>>
  /** The body, plain text unless `headers` say otherwise; by default the phrase of the status. */
  body?: string
}

let newRefusal: (
  status: number,
  options: RefusalOptions,
  reason: RefusalReason,
  close?: { code: number; reason: string },
) => Refusal

/** The refusal of a connection, created by {@link refuse}. */
export class Refusal extends Error {
  /** The HTTP status code, or 101 if the refusal is a Close frame. */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The code of the Close frame that refuses the connection after the handshake. */
  readonly closeCode: number | undefined
  readonly closeReason: string
  /** Why the connection is refused; `'application'` if the application refuses it. */
  readonly reason: RefusalReason

  private constructor(
    status: number,
    { headers = {}, body }: RefusalOptions,
    reason: RefusalReason,
    close: { code: number; reason: string } | undefined,
  ) {
    const phrase = phraseOf(status)
    super(close === undefined ? `${status} ${phrase}` : `${close.code} ${close.reason}`)
    this.name = 'Refusal'
    this.status = status
    this.headers = headers
    this.body = body ?? `${phrase}\n`
    this.closeCode = close?.code
    this.closeReason = close?.reason ?? ''
    this.reason = reason
  }

  static {
    newRefusal = (status, options, reason, close) => new Refusal(status, options, reason, close)
  }
}

interface Refuse {
  /**
   * Creates a refusal as an HTTP response, for `authenticate` to throw or return. Browsers tell their page only that
   * the connection failed; {@link Refuse.close} reaches the page.
   *
   * @param status - 400 to 599
   * @throws RangeError if the status is not an error's
   * @throws TypeError if a header field is not valid, or is Transfer-Encoding: the length of the body frames it; and if
   *   the body is no string
   */
  (status: number, options?: RefusalOptions): Refusal
  /**
   * Creates a refusal after the handshake: the connection is accepted and closed with this code, which the page of a
   * browser can see. `'connection'` is not emitted.
   *
   * @param code - usually one of the application's own, 4000 to 4999
   * @throws TypeError if the code must not be sent
   * @throws RangeError if the reason is longer than 123 bytes
   */
  close(code: number, reason?: string): Refusal
}

/** Creates the refusal of a connection. */
export const refuse: Refuse = Object.assign(
  (status: number, options: RefusalOptions | null = {}): Refusal => {
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError(`The status of a refusal must be an integer from 400 to 599; it is ${status}`)
    }
    return refusalFor('application', status, options ?? {})
  },
  {
    close(code: number, reason: string | null = ''): Refusal {
      encodeClose(code, reason ?? '')
      return newRefusal(101, {}, 'application', { code, reason: reason ?? '' })
    },
  },
)

/** A refusal with a reason of the server's own. @throws TypeError if a header field or the body is not valid */
export function refusalFor(reason: RefusalReason, status: number, options: RefusalOptions): Refusal {
  const refusal = newRefusal(status, withoutNulls(options), reason)
  for (const [name, value] of Object.entries(refusal.headers)) checkField(name, value)
  if (typeof refusal.body !== 'string') {
    throw new TypeError(
      `The body of a refusal must be a string; it is ${describe(refusal.body)}: use JSON.stringify for an object`,
    )
  }
  return refusal
}

/** The refusal of a request whose path no server has. */
export function pathNotFound(status = 404): Refusal {
  return refusalFor('path', status, { body: 'No WebSocket server handles this path\n' })
}

function checkField(name: string, value: unknown): void {
  if (!isToken(name)) throw new TypeError(`${JSON.stringify(name)} is not the name of a header field`)
  if (name.toLowerCase() === 'transfer-encoding') {
    throw new TypeError(
      'A refusal must not have Transfer-Encoding: it is sent with the Content-Length of its body',
    )
  }
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw new TypeError(`The header field ${name} must be a string; it is ${describe(value)}`)
  }
  if (!isFieldValue(String(value))) {
    throw new TypeError(
      `The header field ${name} must not hold control characters or characters beyond Latin-1: ${JSON.stringify(value)}`,
    )
  }
}

/** The phrase of a status. */
export function phraseOf(status: number): string {
  return http().STATUS_CODES[status] ?? 'Refused'
}

/** Publishes the refusal of a handshake. */
export function publishRefused(request: IncomingMessage, { status, reason }: Refusal, server?: object): void {
  if (channels.refused.hasSubscribers) channels.refused.publish({ request, server, status, reason })
}
