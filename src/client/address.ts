import { decodePercents } from '../options/percent-encoding.js'

/** Where a client connects to. */
export interface Address {
  /** The URL as in WHATWG's `url` attribute: `ws:` and `wss:` instead of `http:` and `https:`. */
  readonly url: URL
  readonly isSecure: boolean
  /** The path and query of the request. */
  readonly path: string
  /** The unix socket of a `ws+unix:` URL. */
  readonly socketPath: string | undefined
}

/**
 * Reads an address: `ws:`, `wss:`, `http:`, `https:`, or `ws+unix:/path/to/socket:/path?query`.
 *
 * @throws SyntaxError for anything else, and for a URL with a fragment (RFC 6455 section 3)
 */
export function parseAddress(address: string | URL, base?: URL): Address {
  const url = toUrl(address, base)
  if (url.protocol === 'http:') url.protocol = 'ws:'
  if (url.protocol === 'https:') url.protocol = 'wss:'
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:' && url.protocol !== 'ws+unix:') {
    throw new SyntaxError(
      `The URL's protocol must be ws:, wss:, http:, https: or ws+unix:; it is ${url.protocol}`,
    )
  }
  // `hash` is also empty for an empty fragment (a trailing `#`).
  if (url.href.includes('#'))
    throw new SyntaxError(`A WebSocket URL has no fragment: remove ${url.hash || '#'}`)
  if (url.protocol !== 'ws+unix:') {
    return {
      url,
      isSecure: url.protocol === 'wss:',
      path: `${url.pathname}${url.search}`,
      socketPath: undefined,
    }
  }
  const colon = url.pathname.indexOf(':')
  const socketPath = decodePercents(colon === -1 ? url.pathname : url.pathname.slice(0, colon))
  const path = colon === -1 ? '/' : url.pathname.slice(colon + 1)
  if (socketPath === '')
    throw new SyntaxError('A ws+unix: URL must name a socket: ws+unix:/path/to/socket:/path')
  return { url, isSecure: false, path: `${path}${url.search}`, socketPath }
}

function toUrl(address: string | URL, base?: URL): URL {
  try {
    return new URL(address, base)
  } catch {
    throw new SyntaxError(`Invalid URL: ${String(address)}`)
  }
}
