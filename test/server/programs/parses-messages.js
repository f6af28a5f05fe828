// An application with a bug and without a listener for 'error': it parses what its clients send.
import { WebSocketServer } from 'hubwire'

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listens on ${port}`)
})
server.on('connection', (socket) => {
  socket.on('message', function parsesMessages(data) {
    socket.send(JSON.stringify(JSON.parse(/** @type {string} */ (data))))
    console.log(`failed handlers: ${server.stats().failedHandlers}, open: ${server.clients.size}`)
  })
})
process.stdin.resume().on('end', () => process.exit())
