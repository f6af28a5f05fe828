import { Hub, type WebSocket, WebSocketServer } from 'hubwire'

interface User {
  readonly name: string
}

const hub = new Hub<WebSocket<User>>()
const server = new WebSocketServer({ port: 0 })
// error: Type 'undefined' is not assignable to type 'User'
server.on('connection', (socket) => hub.group('room').add(socket))
for (const socket of hub.group('room')) {
  // error: Property 'nmae' does not exist on type 'User'
  socket.send(socket.user.nmae)
}
for (const member of new Hub().group('room')) {
  // error: Property 'send' does not exist on type 'Member'
  member.send('hello')
}
// error: Type 'string' does not satisfy the constraint 'Member'
new Hub<string>()
