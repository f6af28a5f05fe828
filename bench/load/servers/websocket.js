import { createServer } from 'node:http'
import websocket from 'websocket'
import { fanOut, ready } from './control.js'

const httpServer = createServer()
const server = new websocket.server({
  httpServer,
  autoAcceptConnections: true,
  // The defaults refuse frames above 64 KiB and fragment answers into 16 KiB.
  maxReceivedFrameSize: 2 ** 21,
  maxReceivedMessageSize: 2 ** 21,
  fragmentOutgoingMessages: false,
})

server.on('connect', (connection) => {
  connection.on('message', (message) => {
    const data = message.type === 'utf8' ? message.utf8Data : message.binaryData
    for (const member of fanOut ? server.connections : [connection]) member.send(data)
  })
})

httpServer.listen(0, '127.0.0.1', () => {
  const address = httpServer.address()
  if (address !== null && typeof address === 'object') ready(address.port)
})
