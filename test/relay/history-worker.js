// One of several processes behind which clients follow a group with a history. The path of the unix socket of Redis is
// its argument.
import { once } from 'node:events'
import { Hub, WebSocketServer } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'

const [path = ''] = process.argv.slice(2)
const hub = new Hub({ relay: redisRelay(createClient({ socket: { path, tls: false } })) })
hub.group('news', {
  history: {
    size: 100_000,
    ttl: 3_600_000,
    encode: (text, position) => JSON.stringify({ text, position }),
  },
})
let gaps = 0
hub.on('gap', () => gaps++)

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
server.on('connection', async (socket, request) => {
  const since = new URL(request.url ?? '', 'ws://host').searchParams.get('since')
  const joined = await hub.group('news').add(socket, { since })
  socket.send(JSON.stringify(joined))
})
await Promise.all([hub.ready, once(server, 'listening')])
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
process.send?.({ port })

async function stop() {
  await server.shutdown({ code: 1001, reason: 'The worker stops', timeout: 10_000 })
  await hub.close()
  process.send?.({ gaps })
  process.disconnect()
}
process.once('message', () => void stop())
