// `clients` is a Set, unless tracking is off.
import { type WebSocket, WebSocketServer, type WebSocketServerOptions } from 'hubwire'

interface User {
  readonly name: string
}

const server = new WebSocketServer({ port: 0, authenticate: (): User => ({ name: 'ada' }) })
for (const socket of server.clients) socket.send(socket.user.name)

const untracked = new WebSocketServer({ port: 0, clientTracking: false })
const nothing: undefined = untracked.clients

// With the type of the user given, that of the tracking has to be given too.
const explicit = new WebSocketServer<User, false>({
  port: 0,
  clientTracking: false,
  authenticate: () => ({ name: 'ada' }),
})
const none: undefined = explicit.clients

// Not known before the program runs.
declare const clientTracking: boolean
const either = new WebSocketServer({ port: 0, clientTracking })
const maybe: Set<WebSocket<undefined>> | undefined = either.clients

const options: WebSocketServerOptions<User> = { port: 0, authenticate: () => ({ name: 'ada' }) }
const size: number = new WebSocketServer<User>(options).clients.size

function connections(any: WebSocketServer<unknown, boolean>): number {
  return any.clients?.size ?? any.stats().connections
}
export const all = [
  nothing,
  none,
  maybe,
  size,
  connections(server),
  connections(untracked),
  connections(either),
]
