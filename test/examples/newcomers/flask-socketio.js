// The sample application of Flask-SocketIO, with its events: written from docs/operations.md, whose examples/events it copies.
import { Hub, refuse, routes } from 'hubwire'
import { encode, handle } from '../../../examples/events/events.js'

const hub = new Hub()
const everybody = hub.group('everybody') // broadcast=True

// socketio.start_background_task
let ticks = 0
const timer = setInterval(() => everybody.broadcast(encode('tick', ++ticks)), 50)

const server = routes(
  {
    '/': (socket) => {
      const { user } = socket
      everybody.add(socket)
      hub.group(`user ${user}`).add(socket) // request.sid
      socket.send(encode('connected', user))
      handle(socket, {
        my_event: (data) => socket.send(encode('my_response', data)),
        my_broadcast_event: (data) => everybody.broadcast(encode('my_response', data)).delivered,
        join: (room) => hub.group(`room ${room}`).add(socket).size,
        leave: (room) => hub.group(`room ${room}`).delete(socket),
        close_room: (room) => {
          hub.broadcast(`room ${room}`, encode('my_response', `${room} is closing`))
          for (const member of hub.group(`room ${room}`)) hub.group(`room ${room}`).delete(member)
        },
        my_room_event: ({ room, data }) =>
          hub.broadcast(`room ${room}`, encode('my_response', data), { except: socket }).delivered,
        whisper: ({ to, data }) => hub.broadcast(`user ${to}`, encode('whisper', data)).delivered,
        disconnect_request: () => socket.close(1000, 'Disconnected'),
      })
      socket.on('close', (code) => console.log(`${user} disconnected: ${code}`))
    },
    '/admin': (socket) => handle(socket, { count: () => everybody.size }),
  },
  {
    port: 0,
    host: '127.0.0.1',
    // @socketio.on('connect') that returns False
    authenticate: (/** @type {import('node:http').IncomingMessage} */ request) =>
      new URL(request.url ?? '/', 'ws://host').searchParams.get('user') || refuse(401),
  },
)
server.on('error', (error) => console.log(`Error: ${error.message}`)) // @socketio.on_error_default
server.on('listening', () => console.log(`http://127.0.0.1:${/** @type {any} */ (server.address()).port}`))
process.once('SIGTERM', () => {
  clearInterval(timer)
  void server.shutdown({ reason: 'The server stops' })
})
