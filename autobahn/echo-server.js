// The server under test: what comes in goes out. It prints the port on which it listens.
import { WebSocketServer } from 'hubwire'
import { connectionOptions } from './peer-options.js'

// A ping of our own would be an event that no case expects, so the heartbeat is off.
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, heartbeat: false, ...connectionOptions })

server.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
})

server.on('listening', () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('listens on no TCP port')
  console.log(address.port)
})
