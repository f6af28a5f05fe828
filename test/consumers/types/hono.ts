import { serve } from '@hono/node-server'
import { createNodeWebSocket } from '@hono/node-ws'
import { Hono } from 'hono'
import type { WebSocket } from 'ws'

const app = new Hono()
const { injectWebSocket, upgradeWebSocket, wss } = createNodeWebSocket({ app })
app.get(
  '/ws',
  upgradeWebSocket(() => ({
    onMessage(event, socket) {
      const raw: WebSocket | undefined = socket.raw
      raw?.ping()
      socket.send(String(event.data))
    },
  })),
)
wss.on('connection', (socket) => {
  const one: WebSocket = socket
  one.close(1000, 'bye')
})
injectWebSocket(serve({ fetch: app.fetch }))
