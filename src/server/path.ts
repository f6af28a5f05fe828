import type { IncomingMessage } from 'node:http'

/**
 * Which requests a server owns: the pathname of the request's URL, a pattern of it whose named groups become
 * `socket.params`, or a function that tells, with the params if there are any.
 */
export type Path =
  | string
  | RegExp
  | ((pathname: string, request: IncomingMessage) => boolean | Readonly<Record<string, string>>)

/** Whether a path owns a request: its params, or `undefined` where it does not. */
export function matchPath(
  path: Path | undefined,
  request: IncomingMessage,
): Readonly<Record<string, string>> | undefined {
  if (path === undefined) return NO_PARAMS
  const pathname = pathnameOf(request)
  if (typeof path === 'string') return pathname === path ? NO_PARAMS : undefined
  if (path instanceof RegExp) {
    path.lastIndex = 0
    const match = path.exec(pathname)
    return match === null ? undefined : decodeGroups(match.groups)
  }
  const answer = path(pathname, request)
  return answer === true ? NO_PARAMS : answer === false ? undefined : answer
}

export const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({})

/** The path of a request's target, which is a path and query or (RFC 9112 section 3.2.2) a whole URL. */
export function pathnameOf(request: IncomingMessage): string {
  const [target = '/'] = (request.url ?? '/').split('?', 1)
  if (target.startsWith('/')) return target
  const start = target.indexOf('/', target.indexOf('//') + 2)
  return start === -1 ? '/' : target.slice(start)
}

function decodeGroups(
  groups: Record<string, string | undefined> | undefined,
): Readonly<Record<string, string>> {
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
