import type { IncomingMessage } from 'node:http'

/**
 * The origins that may connect. Browsers send the origin with every handshake and let any page connect anywhere, with
 * the user's cookies, so the server has to check it (RFC 6455 section 10.2). A request without an Origin does not come
 * from a browser and passes.
 */
export type Origins =
  | 'same-origin'
  | '*'
  | readonly (string | RegExp)[]
  | ((origin: string, request: IncomingMessage) => boolean | Promise<boolean>)

/**
 * Whether a request's origin may connect.
 *
 * @param host - the host that the client asked for; with `trustProxy` the one that it asked the proxy for
 */
export function isAllowedOrigin(
  origins: Origins,
  request: IncomingMessage,
  host: string | undefined,
): boolean | Promise<boolean> {
  const { origin } = request.headers
  if (origin === undefined || origins === '*') return true
  if (origins === 'same-origin') return isSameHost(origin, host)
  if (typeof origins === 'function') return origins(origin, request)
  // `search` and not `test`, which with the flag g or y starts where the last match ended.
  return origins.some((allowed) =>
    typeof allowed === 'string' ? allowed === origin : origin.search(allowed) !== -1,
  )
}

/**
 * Whether the host and port are the same. The scheme is not compared: behind a proxy that terminates TLS the server's
 * differs from the browser's.
 */
function isSameHost(origin: string, host: string | undefined): boolean {
  if (host === undefined) return false
  try {
    const url = new URL(origin)
    return new URL(`${url.protocol}//${host}`).host === url.host && url.host !== ''
  } catch {
    return false
  }
}
