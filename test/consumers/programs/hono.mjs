// A route of @hono/node-ws.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { serve } from '@hono/node-server'
import { createNodeWebSocket } from '@hono/node-ws'
import { Hono } from 'hono'
import WebSocket from 'ws'

const app = new Hono()
const { injectWebSocket, upgradeWebSocket } = createNodeWebSocket({ app })
app.get(
  '/ws',
  upgradeWebSocket(() => ({
    onMessage(event, socket) {
      socket.send(`echo ${event.data}`)
    },
  })),
)
const server = await new Promise((resolve) => {
  const own = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(own))
})
injectWebSocket(server)
const client = new WebSocket(`ws://127.0.0.1:${server.address().port}/ws`)
await once(client, 'open')
client.send('hi')
assert.equal(String((await once(client, 'message'))[0]), 'echo hi')
client.close()
await once(client, 'close')
server.close()
