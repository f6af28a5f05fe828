import { environment } from './environment.js'

/**
 * The base URL of a WebSocket server: the value of an environment variable if it is set, otherwise the host that the
 * page came from, otherwise the fallback.
 *
 * ```ts
 * const base = webSocketUrl(import.meta.env.VITE_WS_URL, 'ws://127.0.0.1:8000')
 * new ReconnectingWebSocket(`${base}/ws/chat/`)
 * ```
 *
 * @param variable - `ws:`, `wss:`, `http:` or `https:`, or relative to the page; empty counts as not set
 * @param fallback - used without a page that has a host: in a program, a test, or a page from a file
 * @returns a `ws:` or `wss:` URL without a slash at its end
 * @throws TypeError if the chosen value is not such a URL
 */
export function webSocketUrl(variable: string | null | undefined, fallback: string): string {
  const { origin = '' } = environment.location ?? {}
  return resolveUrl(variable || (origin.startsWith('http') ? origin : fallback)).replace(/\/+$/, '')
}

/**
 * Makes an absolute `ws:` or `wss:` URL of one that may be relative to the page, or `http:` or `https:`. A `WebSocket`
 * takes these too, but only since 2024 (Chrome 125, Firefox 124, Safari 17.3).
 *
 * @throws TypeError naming the URL and what it must be
 */
export function resolveUrl(given: string | URL): string {
  const { href, origin } = environment.location ?? {}
  // The location of a worker created from a blob cannot be a base URL, but the worker has the origin of its page.
  const base = href?.startsWith('blob:') ? origin : href
  let url
  try {
    url = new URL(given, base)
  } catch {
    // An invalid URL causes the same error as one of another scheme.
  }
  const protocol = url?.protocol.replace(/^http/, 'ws')
  if (url === undefined || (protocol !== 'ws:' && protocol !== 'wss:')) {
    // The query may contain a token, which must not be logged.
    throw new TypeError(
      `Not a WebSocket URL: ${String(given).replace(/\?.*/, '?…')}. Use ws://, wss://, or a path in a page`,
    )
  }
  url.protocol = protocol
  url.hash = ''
  return url.href
}
