import websocket, { type WebSocket } from '@fastify/websocket'
import fastify from 'fastify'
import type { RawData } from 'ws'

const app = fastify()
await app.register(websocket, {
  options: {
    maxPayload: 1_048_576,
    verifyClient: ({ origin }, next) => {
      next(origin === 'https://a.example', 403, 'no')
    },
  },
  errorHandler: (error, socket) => {
    socket.close(1011, error.message.slice(0, 100))
  },
})
app.get('/echo', { websocket: true }, (socket, request) => {
  const one: WebSocket = socket
  one.on('message', (data: RawData, isBinary) => {
    one.send(data, { binary: isBinary })
  })
  void request.query
})
for (const client of app.websocketServer.clients) client.terminate()
export const injected: WebSocket = await app.injectWS('/echo')
