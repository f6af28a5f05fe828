import { WebSocket, WebSocketServer } from 'ws'
import { compressed, fanOut, ready } from './control.js'

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  perMessageDeflate: compressed && { serverNoContextTakeover: true, clientNoContextTakeover: true },
})

server.on('connection', (socket) => {
  socket.on('error', console.error)
  socket.on('message', (data, isBinary) => {
    if (!fanOut) {
      socket.send(data, { binary: isBinary })
      return
    }
    for (const client of server.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary })
    }
  })
})

server.on('listening', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') ready(address.port)
})
