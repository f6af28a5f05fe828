// A worker behind a proxy, on a TCP port or on a unix socket:
//   node examples/worker/server.js 8000
//   node examples/worker/server.js /run/hubwire/1.sock
//   node examples/worker/server.js /run/hubwire/1.sock takeover    replaces a running worker, which keeps its clients
// docs/deployment.md explains how to configure nginx and haproxy, and how to run several workers.
import { Hub, WebSocketServer } from 'hubwire'

const [place = '8000', how] = process.argv.slice(2)
const where = /^\d+$/.test(place)
  ? { host: '127.0.0.1', port: Number(place) }
  : { unixPath: place, unixMode: 0o660, takeover: how === 'takeover' } // a stale socket file is removed

const server = new WebSocketServer({ ...where, trustProxy: 1 })
const everybody = new Hub().group('everybody') // all clients of this worker

server.on('connection', (socket) => {
  everybody.add(socket)
  socket.send(JSON.stringify({ worker: place, pid: process.pid, address: socket.remoteAddress }))
  socket.on('message', (data) => everybody.broadcast(data))
})
server.on('listening', () => console.log(`The worker listens at ${place}`))

async function stop() {
  await server.shutdown({ code: 1001, reason: 'The worker stops', spread: 1000, timeout: 10_000 })
}
process.once('SIGTERM', () => void stop()).once('SIGINT', () => void stop())
