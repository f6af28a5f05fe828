// An echo with limits, behind a proxy that sets X-Forwarded-For. HEARTBEAT and PATIENCE are in milliseconds. PORT and HOST
// set the address.
import { WebSocketServer } from 'hubwire'

const { HOST = '127.0.0.1', PORT = '8000', HEARTBEAT = '25000', PATIENCE = '20000' } = process.env
const heartbeat = { interval: Number(HEARTBEAT), timeout: Number(PATIENCE) }

const server = new WebSocketServer({
  host: HOST,
  port: Number(PORT),
  trustProxy: 1,
  origins: ['https://app.example', /^https:\/\/[a-z0-9-]+\.app\.example$/],
  heartbeat,
  maxConnections: 50,
  maxConnectionsPerAddress: 20,
  maxPayload: 64 * 1024,
  messageRate: { perSecond: 10, burst: 100 },
})

server.on('connection', (socket) => {
  socket.on('message', (data) => socket.send(data))
  socket.on('close', (code, _reason, { cause }) => {
    console.log(`${socket.remoteAddress} closed: ${code} ${cause?.message ?? ''}`)
  })
})

server.on('error', (error, socket) => {
  console.error(`Failed for ${socket?.remoteAddress ?? 'the server'}:`, error)
})

server.on('listening', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`The echo is at http://${HOST}:${port}/`)
})

async function stop() {
  const { closed, terminated } = await server.shutdown({
    code: 1001,
    reason: 'The server stops',
    timeout: 10_000,
    spread: 1000,
  })
  console.log(`${closed} closed cleanly, ${terminated} did not answer in time`)
}
process.once('SIGTERM', () => void stop())
