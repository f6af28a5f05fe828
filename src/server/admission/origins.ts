import type { IncomingMessage } from 'node:http'
import { describe } from '../../options/describe.js'

/**
 * The origins that may connect. Browsers send the origin with every handshake and let any page connect anywhere, with
 * the user's cookies, so the server has to check it (RFC 6455 section 10.2). A request without an Origin does not come
 * from a browser and passes.
 */
export type Origins =
  | 'same-origin'
  | '*'
  | (string & {})
  | RegExp
  | readonly (string | RegExp)[]
  | ((origin: string, request: IncomingMessage) => boolean | Promise<boolean>)

/**
 * Checks the option `origins`. One origin may stand alone.
 *
 * @throws TypeError naming the option, its value and what to write
 */
export function readOrigins(origins: Origins): Exclude<Origins, RegExp> {
  if (origins === 'same-origin' || origins === '*' || typeof origins === 'function') return origins
  const list: readonly unknown[] = Array.isArray(origins) ? origins : [origins]
  if (list.length === 0) {
    throw new TypeError(
      "origins is an empty array, with which no browser could connect: write origins: ['https://app.example'], or " +
        'origins: () => false to refuse every browser',
    )
  }
  for (const entry of list) {
    if (entry instanceof RegExp) continue
    const right = typeof entry === 'string' ? originOf(entry) : undefined
    if (right === entry) continue
    const remedy = right ?? 'https://app.example'
    throw new TypeError(
      `origins must be origins such as 'https://app.example', regular expressions, a function, 'same-origin' or '*'; ` +
        `it has ${describe(entry)}: write '${remedy}'`,
    )
  }
  return list as (string | RegExp)[]
}

/** The origin of a URL, as a browser sends it. */
function originOf(text: string): string | undefined {
  if (text === 'null') return text
  if (!/^[a-z][a-z\d+.-]*:\/\/./i.test(text) || !URL.canParse(text)) return undefined
  const { origin, protocol, host } = new URL(text)
  // URL has no origin for other schemes, such as those of browser extensions.
  return origin === 'null' ? `${protocol}//${host}` : origin
}

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
  if (origins === 'same-origin') return isOriginOfHost(origin, host)
  if (typeof origins === 'function') return origins(origin, request)
  const list = (Array.isArray(origins) ? origins : [origins]) as readonly (string | RegExp)[]
  // `search` and not `test`, which with the flag g or y starts where the last match ended.
  return list.some((allowed) =>
    typeof allowed === 'string' ? allowed === origin : origin.search(allowed) !== -1,
  )
}

/**
 * Whether the host and port are the same. The scheme is not compared: behind a proxy that terminates TLS the server's
 * differs from the browser's.
 */
function isOriginOfHost(origin: string, host: string | undefined): boolean {
  if (host === undefined) return false
  try {
    const url = new URL(origin)
    return new URL(`${url.protocol}//${host}`).host === url.host && url.host !== ''
  } catch {
    return false
  }
}
