import type { IncomingMessage } from 'node:http'

// Browsers cannot set headers on a WebSocket. Their tokens are in the query, a cookie or a subprotocol. Other
// clients use the Authorization header.

/** Subprotocols that contain a token: the server must not choose them, which would send them back. */
const secrets = new WeakMap<IncomingMessage, Set<string>>()

/** A scheme, spaces, and a token68 (RFC 9110 section 11.4). */
const BEARER = /^bearer +([\w.~+/-]+=*)$/i

/** The token of an `Authorization: Bearer …` header (RFC 6750 section 2.1). */
export function bearerToken(request: IncomingMessage): string | undefined {
  return BEARER.exec(request.headers.authorization ?? '')?.[1]
}

/** A parameter of the URL's query. Proxies log URLs, so make such tokens short-lived. */
export function queryToken(request: IncomingMessage, name = 'token'): string | undefined {
  const target = request.url ?? ''
  const query = target.indexOf('?')
  return query === -1 ? undefined : (new URLSearchParams(target.slice(query)).get(name) ?? undefined)
}

/** The value of a cookie (RFC 6265 section 5.4). Any page's handshake sends them: keep `origins` restricted. */
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
 * The text after a prefix in one of the offered subprotocols: `new WebSocket(url, ['chat', 'token.' + token])`. The
 * server never chooses that subprotocol, so the token is not sent back.
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

/** The offered subprotocols, without those that contain a token. */
export function withoutSecrets(offered: Set<string>, request: IncomingMessage): Set<string> {
  const found = secrets.get(request)
  return found === undefined ? offered : new Set([...offered].filter((name) => !found.has(name)))
}
