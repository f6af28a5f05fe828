import type { IncomingMessage } from 'node:http'
import { checkNoPromise } from '../options/checks.js'
import { describe } from '../options/describe.js'
import { decodePercents } from '../options/percent-encoding.js'
import { NO_PARAMS, type Params } from '../websocket/accepted-client.js'

/** The params of a literal path: `{ room: string }` for `'/chat/:room'`. */
export type ParamsOf<Pattern extends string> = Pattern extends string
  ? string extends Pattern
    ? Params
    : { readonly [Name in NamesIn<Pattern>]: Params[Name] }
  : never

type NamesIn<Path extends string> = Path extends `${infer Segment}/${infer Rest}`
  ? NameOf<Segment> | NamesIn<Rest>
  : NameOf<Path>

type NameOf<Segment extends string> = string extends Segment
  ? string
  : Segment extends `:${infer Name}`
    ? Name
    : never

/**
 * The requests that a server handles: the pathname of the request's URL, in which a segment `:name` matches any segment
 * and becomes `socket.params.name`; a regular expression for it, whose named
 * groups become `socket.params`; or a function that returns `true` or the params for a match, and `false`, `null` or
 * `undefined` for no match. The function is synchronous: what takes time belongs in `authenticate`.
 */
export type Path<Pattern extends string = string> =
  Pattern | RegExp | ((pathname: string, request: IncomingMessage) => boolean | null | undefined | Params)

/** Matches each request with a path once, however often the result is needed. */
export class PathMatcher {
  readonly #path: Path | undefined
  /** For a path with parameters, which is matched in a normalized form, as a route is. */
  readonly #pattern: RegExp | undefined
  readonly #results = new WeakMap<IncomingMessage, { url: string | undefined; params: Params | undefined }>()

  constructor(path: Path | undefined) {
    this.#path = path
    if (typeof path === 'string' && path.includes('/:')) this.#pattern = compilePattern('path', path)
  }

  /**
   * The params of a match, or `undefined`.
   *
   * @throws what a path function throws, and TypeError if its result is not valid
   */
  match(request: IncomingMessage): Params | undefined {
    const path = this.#path
    // No path, or a literal one: a comparison costs less than remembering its result.
    const isQuick = path === undefined || (typeof path === 'string' && this.#pattern === undefined)
    if (isQuick) return matchPath(path, request)
    const { url } = request
    let result = this.#results.get(request)
    // The application may rewrite the URL between two calls.
    if (result?.url !== url || result === undefined) {
      result = { url, params: this.#match(request) }
      this.#results.set(request, result)
    }
    return result.params
  }

  #match(request: IncomingMessage): Params | undefined {
    return this.#pattern === undefined
      ? matchPath(this.#path, request)
      : matchPattern(this.#pattern, normalPath(pathnameOf(request)))
  }
}

/** The params of a match, or `undefined`. @throws TypeError if the result of a path function is not valid */
export function matchPath(path: Path | undefined, request: IncomingMessage): Params | undefined {
  if (path === undefined) return NO_PARAMS
  const pathname = pathnameOf(request)
  if (typeof path === 'string') return isSamePath(path, pathname) ? NO_PARAMS : undefined
  if (path instanceof RegExp) return matchPattern(path, pathname)
  return toParams('path', path(pathname, request))
}

/**
 * Compiles a pattern such as `/chat/:room`: a segment `:name` matches any segment.
 *
 * @param what - begins the message of an error
 * @throws TypeError if it does not begin with a slash, or a parameter has no valid name
 */
export function compilePattern(what: string, pattern: string): RegExp {
  if (!pattern.startsWith('/')) {
    throw new TypeError(
      `${what} must begin with a slash: ${describe(pattern)}. Write ${describe(`/${pattern}`)}`,
    )
  }
  const names = new Set<string>()
  const segments = pattern.split('/').map((segment) => {
    if (!segment.startsWith(':')) return normalPath(segment).replaceAll(/[^\w-]/g, '\\$&')
    if (!/^:[A-Za-z_]\w*$/.test(segment)) {
      throw new TypeError(
        `A parameter of a route must be a colon and a name; ${segment} in ${JSON.stringify(pattern)} is not`,
      )
    }
    if (names.has(segment)) {
      throw new TypeError(`${what} has the parameter ${segment} twice: ${describe(pattern)}`)
    }
    names.add(segment)
    return `(?<${segment.slice(1)}>[^/]+)`
  })
  return new RegExp(`^${segments.join('/')}$`)
}

/** The decoded named groups of a match, or `undefined`. */
export function matchPattern(pattern: RegExp, pathname: string): Params | undefined {
  pattern.lastIndex = 0
  const match = pattern.exec(pathname)
  return match === null ? undefined : decodeGroups(match.groups)
}

/** Reads the result of an application's function. @throws TypeError if it is neither a match nor no match */
export function toParams(name: string, answer: unknown): Params | undefined {
  if (answer === true) return NO_PARAMS
  if (answer === false || answer === undefined || answer === null) return undefined
  checkNoPromise(name, answer, ': do asynchronous checks in authenticate')
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
 * Normalizes a path (RFC 3986 section 6.2.2): `/café` and `/caf%c3%a9` are the same. An encoded
 * slash stays encoded.
 */
export function normalPath(path: string): string {
  return path
    .split('/')
    .map((segment) => encodeURIComponent(decodePercents(segment)))
    .join('/')
}

function isSamePath(path: string, pathname: string): boolean {
  return path === pathname || normalPath(path) === normalPath(pathname)
}

function decodeGroups(groups: Record<string, string | undefined> | undefined): Params {
  if (groups === undefined) return NO_PARAMS
  const params: Record<string, string> = {}
  for (const [name, value] of Object.entries(groups))
    if (value !== undefined) params[name] = decodePercents(value)
  return params
}
