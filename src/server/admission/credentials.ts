import type { IncomingMessage } from 'node:http'

/**
 * Where browsers can put a token. They cannot set headers on a WebSocket, which leaves the query, a cookie and the
 * subprotocols; everything else has Authorization.
 */

/** Subprotocols that carried a token, which must not be chosen and so sent back. */
const secrets = new WeakMap<IncomingMessage, Set<string>>()

/** The token of an `Authorization: Bearer …` header (RFC 6750 section 2.1). */
export function bearerToken(request: IncomingMessage): string | undefined {
  const header = request.headers.authorization ?? ''
  const space = header.indexOf(' ')
  if (header.slice(0, space).toLowerCase() !== 'bearer') return undefined
  return header.slice(space + 1).trim() || undefined
}

/** A parameter of the URL's query; mind that proxies log URLs, and make such tokens short-lived. */
export function queryToken(request: IncomingMessage, name = 'token'): string | undefined {
  const target = request.url ?? ''
  const query = target.indexOf('?')
  return query === -1 ? undefined : (new URLSearchParams(target.slice(query)).get(name) ?? undefined)
}

/** The value of a cookie (RFC 6265 section 5.4). Cookies come with every page's handshake: leave `origins` on guard. */
export function cookieToken(request: IncomingMessage, name: string): string | undefined {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const equals = pair.indexOf('=')
    if (equals === -1 || pair.slice(0, equals).trim() !== name) continue
    const value = pair.slice(equals + 1).trim()
    return value.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1) : value
  }
  return undefined
}

/**
 * What stands behind a prefix among the offered subprotocols: `new WebSocket(url, ['chat', 'token.' + token])`. The
 * server never chooses it, so that it is not sent back.
 *
 * @param prefix - such as `'token.'`
 */
export function subprotocolToken(request: IncomingMessage, prefix: string): string | undefined {
  for (const element of (request.headers['sec-websocket-protocol'] ?? '').split(',')) {
    const name = element.trim()
    if (!name.startsWith(prefix) || name.length === prefix.length) continue
    const found = secrets.get(request) ?? new Set()
    secrets.set(request, found.add(name))
    return name.slice(prefix.length)
  }
  return undefined
}

/** The offered subprotocols but for those that carried a token. */
export function withoutSecrets(offered: Set<string>, request: IncomingMessage): Set<string> {
  const found = secrets.get(request)
  return found === undefined ? offered : new Set([...offered].filter((name) => !found.has(name)))
}
