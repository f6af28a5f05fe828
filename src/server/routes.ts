import type { IncomingMessage } from 'node:http'
import type { WebSocket } from '../websocket/websocket.js'
import { matchPath } from './path.js'
import type { WebSocketServerOptions } from './server-options.js'
import { WebSocketServer } from './websocket-server.js'

/** What takes the connections of a route; one that rejects closes its connection with 1011. */
export type RouteHandler<User = undefined> = (socket: WebSocket<User>, request: IncomingMessage) => unknown

/**
 * One server for several paths, each with its handler: `routes({ '/ws/chat/:room/': (socket) => … }, { port: 8000 })`.
 * A segment `:name` takes whatever is there and becomes `socket.params.name`; of several patterns that match, the first
 * has it. For other options on a path, give it a {@link WebSocketServer} of its own.
 *
 * @param table - handlers by pattern
 * @param options - as for a {@link WebSocketServer}
 * @throws TypeError when a pattern is none, and what the server throws
 */
export function routes<User = undefined>(
  table: Readonly<Record<string, RouteHandler<User>>>,
  options: Omit<WebSocketServerOptions<User>, 'path'>,
): WebSocketServer<User> {
  const entries = Object.entries(table).map(([pattern, handler]) => ({ pattern: compile(pattern), handler }))
  const found = new WeakMap<IncomingMessage, RouteHandler<User>>()
  const server = new WebSocketServer<User>({
    ...options,
    path(_pathname, request) {
      for (const { pattern, handler } of entries) {
        const params = matchPath(pattern, request)
        if (params === undefined) continue
        found.set(request, handler)
        return params
      }
      return false
    },
  })
  // What it returns is how a rejection is noticed.
  server.on('connection', (socket, request) => found.get(request)?.(socket, request))
  return server
}

function compile(pattern: string): RegExp {
  if (!pattern.startsWith('/')) {
    throw new TypeError(`A route begins with a slash; ${JSON.stringify(pattern)} does not`)
  }
  const segments = pattern.split('/').map((segment) => {
    if (!segment.startsWith(':')) return segment.replaceAll(/[^\w-]/g, '\\$&')
    if (!/^:[A-Za-z_]\w*$/.test(segment)) {
      throw new TypeError(`After a colon comes a name; in ${JSON.stringify(pattern)} ${segment} is none`)
    }
    return `(?<${segment.slice(1)}>[^/]+)`
  })
  return new RegExp(`^${segments.join('/')}$`)
}
