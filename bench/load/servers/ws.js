import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { WebSocket, WebSocketServer } from 'ws'
import {
  authenticated,
  churn,
  compressed,
  fanOut,
  findUser,
  ready,
  storm,
  STREAM,
  stream,
  tls,
} from './control.js'

const httpServer = tls === undefined ? createServer() : createSecureServer(tls)
const server = new WebSocketServer({
  ...(authenticated ? { noServer: true } : { server: httpServer }),
  perMessageDeflate: compressed && { serverNoContextTakeover: true, clientNoContextTakeover: true },
})
const all = /** @type {Set<import('ws').WebSocket>} */ (new Set())

if (authenticated) {
  httpServer.on('upgrade', async (request, socket, head) => {
    await findUser()
    server.handleUpgrade(request, socket, head, (webSocket) => server.emit('connection', webSocket, request))
  })
}

server.on('connection', (socket) => {
  if (churn) all.add(socket)
  if (churn || storm) socket.on('close', () => all.delete(socket))
  socket.on('error', console.error)
  socket.on('message', (data, isBinary) => {
    if (churn) {
      all.delete(socket)
      all.add(socket)
    } else if (stream) {
      for (const message of STREAM) socket.send(message)
      return
    } else if (!fanOut && !all.has(socket)) {
      if (storm) all.add(socket)
      socket.send(data, { binary: isBinary })
      return
    }
    for (const client of fanOut ? server.clients : all) {
      if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary })
    }
  })
})

httpServer.listen(0, '127.0.0.1', () => {
  const address = httpServer.address()
  if (address !== null && typeof address === 'object') ready(address.port)
})
