// One of several processes: a server whose clients say in which groups they want to be, and are told when they are.
import { once } from 'node:events'
import { Hub, WebSocketServer } from 'hubwire'
import { relayOf } from './relay-of.js'

const [broker = ''] = process.argv.slice(2)
/** @type {Hub<import('hubwire').WebSocket>} */
const hub = new Hub({ relay: await relayOf(broker) })
/** @type {import('hubwire').Gap[]} */
const gaps = []
hub.on('gap', (gap) => {
  gaps.push(gap)
})

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
server.on('connection', (socket) => {
  socket.on('message', async (message, isBinary) => {
    if (isBinary) throw new TypeError('Commands are text')
    const { leave, join } = JSON.parse(message)
    if (leave !== undefined) hub.group(leave).delete(socket)
    socket.send(JSON.stringify({ left: leave }))
    if (join === undefined) return
    hub.group(join).add(socket)
    await hub.group(join).ready
    socket.send(JSON.stringify({ joined: join }))
  })
})
await Promise.all([hub.ready, once(server, 'listening')])
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
process.send?.({ port })

process.on('message', (message) => {
  if (message === 'gaps') process.send?.({ gaps })
  else void Promise.all([server.shutdown(), hub.close()]).then(() => process.disconnect())
})
