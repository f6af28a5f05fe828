// An echo with /healthz and /readyz for a load balancer. DRAIN is the time in milliseconds in which the load balancer
// notices that the server is no longer ready. PORT and HOST set the address.
import { createServer } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { WebSocketServer } from 'hubwire'

const { HOST = '127.0.0.1', PORT = '8000', DRAIN = '5000' } = process.env
let isReady = true

const http = createServer((request, response) => {
  if (request.url === '/healthz') response.end('alive\n')
  else if (request.url === '/readyz') response.writeHead(isReady ? 200 : 503).end()
  else response.writeHead(404).end()
})
const server = new WebSocketServer({ server: http, path: '/ws' })
server.on('connection', (socket) => {
  socket.on('message', (data) => socket.send(data))
})
http.listen(Number(PORT), HOST, () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address())
  console.log(`The server is at http://${HOST}:${port}/`)
})

async function stop() {
  isReady = false
  console.log('Draining')
  await setTimeout(Number(DRAIN))
  await server.shutdown({ code: 1001, reason: 'The server stops', spread: 1000, timeout: 10_000 })
  http.close()
  http.closeAllConnections()
}
process.once('SIGTERM', () => void stop())
