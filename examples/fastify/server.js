// A fastify application and a WebSocket server on one port: rooms at /ws/rooms/<room>, and their list at /rooms. The text
// posted to /rooms/<room> is sent to the members of that room. PORT and HOST set the address.
import { fastify } from 'fastify'
import { Hub, WebSocketServer } from 'hubwire'

const { HOST = '127.0.0.1', PORT = '8000' } = process.env
const app = fastify()
const hub = new Hub()

app.get('/rooms', () => Array.from(hub.groups(), ({ name, size }) => ({ name, size })))
app.post('/rooms/:room', (request) => {
  const { room } = /** @type {{ room: string }} */ (request.params)
  return hub.broadcast(room, String(request.body))
})

const webSockets = new WebSocketServer({ server: app.server, path: /^\/ws\/rooms\/(?<room>\w+)$/ })
webSockets.on('connection', (socket) => {
  const room = hub.group(String(socket.params.room))
  room.add(socket) // removed automatically when the socket closes
  socket.send(`${room.size} in ${room.name}`)
  socket.on('message', (data) => room.broadcast(data, { except: socket }))
})

// Not onClose: fastify calls it after its server has closed, and the server waits for every WebSocket.
app.addHook('preClose', async () => {
  await webSockets.shutdown({ code: 1001, reason: 'The server stops', timeout: 10_000 })
})

console.log(`The rooms are at ${await app.listen({ host: HOST, port: Number(PORT) })}/`)
process.once('SIGTERM', () => void app.close())
