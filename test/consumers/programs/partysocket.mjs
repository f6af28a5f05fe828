// Reconnects to a server that ends its connections.
import assert from 'node:assert/strict'
import { WebSocket as Reconnecting } from 'partysocket'
import { WebSocket, WebSocketServer } from '#engine'

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
let connections = 0
server.on('connection', (socket) => {
  if (++connections < 3) socket.terminate()
  else socket.send('third')
})
await new Promise((resolve) => server.once('listening', resolve))
const client = new Reconnecting(`ws://127.0.0.1:${server.address().port}`, [], {
  WebSocket,
  minReconnectionDelay: 1,
  maxReconnectionDelay: 10,
})
client.addEventListener('error', () => undefined)
const text = await new Promise((resolve) => client.addEventListener('message', ({ data }) => resolve(data)))
assert.equal(text, 'third')
assert.equal(connections, 3)
client.close()
server.close()
