// An echo at /ws/echo, and the metrics of its server at /metrics for Prometheus. PORT and HOST set the address.
import { createServer } from 'node:http'
import { WebSocketServer } from 'hubwire'
import { register } from 'prom-client'
import { measure } from './metrics.js'

const { HOST = '127.0.0.1', PORT = '8000' } = process.env
const http = createServer((request, response) => {
  if (request.url !== '/metrics') return void response.writeHead(404).end()
  void register.metrics().then((metrics) => {
    response.writeHead(200, { 'Content-Type': register.contentType }).end(metrics)
  })
})

const echo = new WebSocketServer({ server: http, path: '/ws/echo' })
echo.on('connection', (socket) => {
  socket.on('message', (data) => socket.send(data))
  socket.on('close', (code, reason, { initiator, cause }) => {
    console.log(`closed by the ${initiator} end: ${code} ${reason} ${cause?.message ?? ''}`)
  })
})
measure(echo)

http.listen(Number(PORT), HOST, () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address())
  console.log(`The metrics are at http://${HOST}:${port}/metrics`)
})

async function stop() {
  http.close()
  await echo.shutdown({ code: 1001, reason: 'The server stops', timeout: 10_000 })
  http.closeAllConnections()
}
process.once('SIGTERM', () => void stop())
