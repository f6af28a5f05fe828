import { routes, type WebSocket, WebSocketServer } from 'hubwire'

const server = new WebSocketServer({ port: 0, path: '/chat/:room' })
server.on('connection', (socket) => {
  // error: Property 'rom' does not exist on type '{ readonly room: string; }'. Did you mean 'room'?
  socket.send(socket.params.rom)
})
new WebSocketServer({ port: 0, path: '/chat' }).on('connection', (socket) => {
  // error: Property 'room' does not exist on type
  socket.send(socket.params.room)
})
routes(
  {
    '/chat/:room': (socket) => {
      // error: Property 'user' does not exist on type
      socket.send(socket.params.user)
    },
  },
  { port: 0 },
)
new WebSocketServer({ port: 0, path: /^\/(?<room>\w+)$/ }).on('connection', (socket) => {
  // error: 'socket.params.room' is possibly 'undefined'
  socket.send(socket.params.room.trim())
})
const chat = (socket: WebSocket<undefined, { room: string }>): void => socket.close(1000, socket.params.room)
// error: Type '(socket: WebSocket<…room…>) => void' is not assignable to type '…name…'
routes({ '/chat/:name': chat }, { port: 0 })
// TypeScript types the handlers first, so the parameter of `authenticate` needs a type.
routes(
  { '/': (socket) => socket.send('hello') },
  // error: Type '(request: IncomingMessage) => { name: string; }' is not assignable to type 'Authenticate<undefined>'
  { port: 0, authenticate: (request) => ({ name: String(request.url) }) },
)
