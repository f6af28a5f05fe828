// The server under test: it echoes every message. It prints the port on which it listens.
import { WebSocketServer } from 'hubwire'
import { connectionOptions } from './peer-options.js'

// The heartbeat is off, because no case expects its Pings.
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, heartbeat: false, ...connectionOptions })

server.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
})

server.on('listening', () => {
  const address = server.address()
  if (address === null || typeof address === 'string')
    throw new Error('the server does not listen on a TCP port')
  console.log(address.port)
})
