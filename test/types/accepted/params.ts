// `socket.params` has the names that the path is written with.
import type { IncomingMessage } from 'node:http'
import {
  Hub,
  type ParamsOf,
  type RouteHandler,
  routes,
  type WebSocket,
  WebSocketServer,
  type WebSocketServerOptions,
} from 'hubwire'

interface User {
  readonly name: string
}

const server = new WebSocketServer({
  port: 0,
  path: '/chat/:room/:id/',
  authenticate: (): User => ({ name: 'ada' }),
})
server.on('connection', (socket) => {
  const { room, id } = socket.params
  socket.send(`${socket.user.name} in ${room.trim()} ${id.trim()}`)
})
for (const { params } of server.clients) params.room.trim()
server.on('error', (_error, socket) => socket?.params.room.trim())

// A table of routes: each handler has the params of its own path.
routes(
  {
    '/ws/echo': (socket) => socket.on('message', (data) => socket.send(data)),
    '/ws/chat/:room/': (socket) => socket.send(socket.params.room.trim()),
    '/ws/:user/:device': async (socket, request) => {
      await Promise.resolve(request.url)
      socket.send(`${socket.params.user.trim()} ${socket.params.device.trim()} ${socket.user.name}`)
    },
  },
  { port: 0, authenticate: (): User => ({ name: 'ada' }) },
)

// With a request that has a type, the user is inferred.
routes(
  { '/': (socket) => socket.send(socket.user.name.trim()) },
  { port: 0, authenticate: (request: IncomingMessage) => ({ name: String(request.url) }) },
)

// Handlers that stand elsewhere.
const chat = (socket: WebSocket<undefined, { room: string }>): void => socket.close(1000, socket.params.room)
const any: RouteHandler = (socket) => socket.send(socket.params.room ?? 'none')
const room: RouteHandler<undefined, ParamsOf<'/:room'>> = ({ params }) => params.room.trim()
routes({ '/chat/:room': chat, '/any': any, '/:room': room }, { port: 0 })

// A path that is no literal, or none of ours: any name may be missing.
declare const path: string
declare const table: Record<string, RouteHandler>
const others = [
  new WebSocketServer({ port: 0, path }),
  new WebSocketServer({ port: 0, path: /^\/(?<room>\w+)$/ }),
  new WebSocketServer({ port: 0, path: (pathname) => ({ room: pathname }) }),
  new WebSocketServer({ port: 0 }),
  routes(table, { port: 0 }),
]
for (const other of others) {
  other.on('connection', ({ params }) => {
    const name: string | undefined = params.room
    return name
  })
}

// What takes any server, any options or any socket takes these too.
const options: WebSocketServerOptions = { port: 0, path: '/chat/:room' }
const all: WebSocketServer<unknown, boolean>[] = [server, new WebSocketServer(options), ...others]
const hub = new Hub<WebSocket<User>>()
server.on('connection', (socket) => hub.group('all').add(socket))
const rooms = new Hub<WebSocket<User, { room: string }>>()
server.on('connection', (socket) => rooms.group('all').add(socket))
for (const { params } of rooms.group('all')) params.room.trim()
export const count = all.length
