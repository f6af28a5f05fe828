// A hub of the application's own sockets.
import { Hub, type Member, WebSocket, WebSocketServer } from 'hubwire'

interface User {
  readonly name: string
}

const hub = new Hub<WebSocket<User>>()
const server = new WebSocketServer({ port: 0, authenticate: (): User => ({ name: 'ada' }) })
server.on('connection', (socket) => {
  hub.group('room').add(socket)
  hub.group('room').broadcast(`${socket.user.name} is here`, { except: socket })
})

for (const socket of hub.group('room')) {
  const { name } = socket.user
  const room: string | undefined = socket.params.room
  socket.send(`${name} in ${String(room)}`)
}
for (const group of hub.groups()) for (const socket of group) socket.close(1001, socket.user.name)
hub.on('error', (error, socket) => {
  socket.send(`${socket.user.name}: ${error.message}`)
})

// Sockets of several servers, whatever their users.
const all = new Hub<WebSocket>()
server.on('connection', (socket) => all.group('all').add(socket))
for (const socket of all.group('all')) socket.send('hello')

// A class of the application.
class Player extends WebSocket<User> {
  score = 0
}
const game = new WebSocketServer({ port: 0, WebSocket: Player, authenticate: (): User => ({ name: 'ada' }) })
const players = new Hub<Player>()
game.on('connection', (socket) => {
  if (socket instanceof Player) players.group('game').add(socket)
})
for (const player of players.group('game')) player.send(player.score)

// Anything that takes messages.
const members = new Hub()
for (const member of members.group('any')) {
  const any: Member = member
  any.close(1000)
}
