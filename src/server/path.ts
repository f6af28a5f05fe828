import type { IncomingMessage } from 'node:http'

/** The named parts of a path, as `socket.params` has them. */
export type Params = Readonly<Record<string, string>>

/**
 * The requests that a server handles: the pathname of the request's URL; a regular expression for it, whose named
 * groups become `socket.params`; or a function that returns `true` or the params for a match, and `false`, `null` or
 * `undefined` for no match. The function is synchronous: what takes time belongs in `authenticate`.
 */
export type Path =
  string | RegExp | ((pathname: string, request: IncomingMessage) => boolean | null | undefined | Params)

export const NO_PARAMS: Params = Object.freeze({})

/** Matches requests with a path, and calls a path function once per request however often the result is needed. */
export class PathMatcher {
  readonly #path: Path | undefined
  readonly #results = new WeakMap<IncomingMessage, { url: string | undefined; params: Params | undefined }>()

  constructor(path: Path | undefined) {
    this.#path = path
  }

  /**
   * The params of a match, or `undefined`.
   *
   * @throws what a path function throws, and TypeError if it returns anything but an answer
   */
  match(request: IncomingMessage): Params | undefined {
    if (typeof this.#path !== 'function') return matchPath(this.#path, request)
    const { url } = request
    let result = this.#results.get(request)
    // The application may rewrite the URL between two calls.
    if (result?.url !== url || result === undefined) {
      result = { url, params: matchPath(this.#path, request) }
      this.#results.set(request, result)
    }
    return result.params
  }
}

/** The params of a match, or `undefined`. @throws TypeError if a path function returns anything but an answer */
export function matchPath(path: Path | undefined, request: IncomingMessage): Params | undefined {
  if (path === undefined) return NO_PARAMS
  const pathname = pathnameOf(request)
  if (typeof path === 'string') return isSamePath(path, pathname) ? NO_PARAMS : undefined
  if (path instanceof RegExp) return matchPattern(path, pathname)
  return readAnswer('path', path(pathname, request))
}

/** The decoded named groups of a match, or `undefined`. */
export function matchPattern(pattern: RegExp, pathname: string): Params | undefined {
  pattern.lastIndex = 0
  const match = pattern.exec(pathname)
  return match === null ? undefined : decodeGroups(match.groups)
}

/** Reads what a function of the application returned. @throws TypeError if it is neither a match nor none */
export function readAnswer(name: string, answer: unknown): Params | undefined {
  if (answer === true) return NO_PARAMS
  if (answer === false || answer === undefined || answer === null) return undefined
  if (typeof answer === 'object' && 'then' in answer) {
    // The promise is not awaited, so its rejection must not become an unhandled one.
    Promise.resolve(answer).catch(() => undefined)
    throw new TypeError(
      `${name} returned a Promise, but must answer at once: do asynchronous checks in authenticate`,
    )
  }
  if (typeof answer === 'object' && !Array.isArray(answer)) return answer as Params
  throw new TypeError(
    `${name} must return true or an object of params for a match, and false for none; it returned ` +
      (Array.isArray(answer) ? 'an array' : JSON.stringify(answer)),
  )
}

/** The path of a request target, which is a path and query or a whole URL (RFC 9112 section 3.2.2). */
export function pathnameOf(request: IncomingMessage): string {
  const [target = '/'] = (request.url ?? '/').split('?', 1)
  if (target.startsWith('/')) return target
  const start = target.indexOf('/', target.indexOf('//') + 2)
  return start === -1 ? '/' : target.slice(start)
}

/**
 * One form for all spellings of a path (RFC 3986 section 6.2.2): `/café` and `/caf%c3%a9` are the same. An encoded
 * slash stays one.
 */
export function normalPath(path: string): string {
  return path
    .split('/')
    .map((segment) => encodeURIComponent(decode(segment)))
    .join('/')
}

function isSamePath(path: string, pathname: string): boolean {
  return path === pathname || normalPath(path) === normalPath(pathname)
}

function decodeGroups(groups: Record<string, string | undefined> | undefined): Params {
  if (groups === undefined) return NO_PARAMS
  const params: Record<string, string> = {}
  for (const [name, value] of Object.entries(groups)) if (value !== undefined) params[name] = decode(value)
  return params
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
