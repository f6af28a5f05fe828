// The Node adapter with its option `wss`, since crossws has `ws` built in: messages, and publishing to a topic.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import crossws from 'crossws/adapters/node'
import { WebSocket, WebSocketServer } from '#engine'

const ws = crossws({
  wss: new WebSocketServer({ noServer: true }),
  hooks: {
    open: (peer) => peer.subscribe('room'),
    message: (peer, message) => {
      peer.send(`echo ${message.text()}`)
      peer.publish('room', 'published')
    },
  },
})
const server = createServer()
server.on('upgrade', (...upgrade) => ws.handleUpgrade(...upgrade))
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const clients = [1, 2].map(() => new WebSocket(`ws://127.0.0.1:${server.address().port}`))
await Promise.all(clients.map((client) => once(client, 'open')))
const heard = clients.map((client) => once(client, 'message'))
clients[0].send('hi')
const texts = (await Promise.all(heard)).map(([data]) => String(data))
assert.deepEqual(texts, ['echo hi', 'published'])
for (const client of clients) client.terminate()
server.close()
