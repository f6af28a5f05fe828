import type { OutgoingHttpHeaders } from 'node:http'
import type { RequestOptions } from 'node:https'
import { checkInteger, checkMilliseconds } from '../options/checks.js'

/** How a client opens a connection. Options of TLS and of `http.request` are passed on. */
export interface OpeningOptions extends Omit<RequestOptions, 'headers'> {
  /** Header fields to send. They are not sent to another origin to which a redirect leads. */
  headers?: OutgoingHttpHeaders
  /** The Origin header. */
  origin?: string
  /** Milliseconds for the whole handshake, redirects included; 10,000 by default. 0 and `Infinity` mean no limit. */
  handshakeTimeout?: number
  /** Whether redirects are followed; `false` by default. */
  followRedirects?: boolean
  /** How many redirects are followed; 10 by default. */
  maxRedirects?: number
}

export const DEFAULT_MAX_REDIRECTS = 10

/**
 * Checks the options of a client's opening handshake.
 *
 * @throws RangeError when a number is out of its range
 * @throws TypeError when `headers` is not an object of names and values
 */
export function checkOpeningOptions({ headers, handshakeTimeout, maxRedirects }: OpeningOptions): void {
  if (handshakeTimeout !== undefined) checkMilliseconds('handshakeTimeout', handshakeTimeout)
  if (maxRedirects !== undefined) checkInteger('maxRedirects', maxRedirects, 0, Number.MAX_SAFE_INTEGER)
  // An array would be sent with its indices as names, and a Map or Headers object without any header.
  if (headers !== undefined && (typeof headers !== 'object' || Symbol.iterator in headers)) {
    throw new TypeError(
      "headers must be an object such as { Authorization: 'Bearer ...' }; for a list of names and values, a Map or " +
        'Headers use Object.fromEntries()',
    )
  }
}
