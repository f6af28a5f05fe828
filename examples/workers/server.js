// One of several workers behind nginx (examples/nginx/three-workers.conf) that share their groups through Redis:
//   redis-server examples/workers/redis.conf
//   node examples/workers/server.js /run/hubwire/1.sock
// A message of a client at /ws/<topic>/ reaches all clients of the topic, at all workers. docs/scaling.md explains it.
import { WebSocketServer } from 'hubwire'
import { hub } from './hub.js'

const [unixPath = '/run/hubwire/1.sock'] = process.argv.slice(2)
const server = new WebSocketServer({ unixPath, unixMode: 0o660, path: '/ws/:topic/', trustProxy: 1 })

server.on('connection', async (socket) => {
  const topic = hub.group(socket.params.topic).add(socket)
  socket.on('message', (data) => topic.broadcast(data))
  await topic.ready // what the other workers send arrives from here on
  socket.send(JSON.stringify({ worker: unixPath }))
})

// Lost messages are not sent again. The clients of this worker reload their state.
hub.on('gap', ({ cause, groups }) => {
  for (const name of groups) {
    for (const socket of hub.group(name)) socket.send(JSON.stringify({ reload: cause }))
  }
})

server.on('listening', () => console.log(`The worker listens at ${unixPath}`))

async function stop() {
  await server.shutdown({ code: 1001, reason: 'The worker stops', spread: 1000, timeout: 10_000 })
  await hub.close()
}
process.once('SIGTERM', () => void stop())
