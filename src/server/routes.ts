import type { IncomingMessage } from 'node:http'
import { withoutNulls } from '../options/checks.js'
import { describe } from '../options/describe.js'
import type { Params } from '../websocket/accepted-client.js'
import type { WebSocket } from '../websocket/websocket.js'
import type { SocketUser } from './admission/authentication.js'
import { compilePattern, matchPattern, normalPath, type ParamsOf } from './path.js'
import type { WebSocketServerOptions } from './server-options.js'
import { WebSocketServer } from './websocket-server.js'

/** Handles the connections of a route. If it throws or rejects, its connection closes with 1011. */
export type RouteHandler<User = undefined, RouteParams extends Params = Params> = (
  socket: WebSocket<SocketUser<User>, RouteParams>,
  request: IncomingMessage,
) => unknown

/** Handlers by pattern: `socket.params` of each has the names in its own pattern. */
export type RouteTable<User = undefined, Pattern extends string = string> = {
  readonly [Each in Pattern]: RouteHandler<User, ParamsOf<Each>>
}

/**
 * Creates one server for several paths, each with its handler:
 * `routes({ '/ws/chat/:room/': (socket) => … }, { port: 8000 })`. A segment `:name` matches any segment, which becomes
 * `socket.params.name`, typed from a literal. If several patterns match, the first one handles the connection. To give a path
 * other options, create a {@link WebSocketServer} for it.
 *
 * TypeScript infers the user from `authenticate` only if its parameter has a type, because the table comes first:
 * `authenticate: (request: IncomingMessage) => …`.
 *
 * @param table - handlers by pattern
 * @param options - as for a {@link WebSocketServer}
 * @throws TypeError if the table or a pattern is not valid, and what the server throws
 */
export function routes<User = undefined, Pattern extends string = string>(
  table: RouteTable<User, Pattern>,
  options: Omit<WebSocketServerOptions<User>, 'path'>,
): WebSocketServer<User> {
  const entries = readTable(table)
  const given = withoutNulls((options ?? {}) as WebSocketServerOptions<User>)
  if (given.path !== undefined) {
    throw new TypeError(
      `routes() takes the paths from its table: leave out path, which is ${describe(given.path)}`,
    )
  }
  const found = new WeakMap<IncomingMessage, RouteHandler<User>>()
  const server = new WebSocketServer<User>({
    ...given,
    path(pathname, request) {
      const normal = normalPath(pathname)
      for (const { pattern, handler } of entries) {
        const params = matchPattern(pattern, normal)
        if (params === undefined) continue
        found.set(request, handler)
        return params
      }
      return false
    },
  })
  // The server awaits what a listener returns, so the listener returns the handler's promise.
  server.on('connection', (socket, request) => found.get(request)?.(socket, request))
  return server
}

/** @throws TypeError if it is no table, or if a pattern or a handler in it is not valid */
function readTable<User, Pattern extends string>(
  table: RouteTable<User, Pattern>,
): { pattern: RegExp; handler: RouteHandler<User> }[] {
  if (typeof table !== 'object' || (table as unknown) === null || Array.isArray(table)) {
    throw new TypeError(
      `routes(table, options) needs an object of handlers by path; it is given ${describe(table)}: ` +
        "write routes({ '/chat/:room': (socket) => { … } }, { port: 8000 })",
    )
  }
  return Object.entries<unknown>(table).map(([pattern, handler]) => {
    if (typeof handler !== 'function') {
      throw new TypeError(
        `The handler of the route ${describe(pattern)} must be a function; it is ${describe(handler)}: ` +
          `write { ${describe(pattern)}: (socket, request) => { … } }`,
      )
    }
    return { pattern: compilePattern('A route', pattern), handler: handler as RouteHandler<User> }
  })
}
