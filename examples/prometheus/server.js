// An echo at /ws/echo, the time at /ws/time, and the metrics of both servers at /metrics for Prometheus. PORT and HOST set the address.
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
const time = new WebSocketServer({ server: http, path: '/ws/time' })
time.on('connection', (socket) => socket.send(new Date().toISOString()))

measure('echo', echo)
measure('time', time)

http.listen(Number(PORT), HOST, () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address())
  console.log(`The metrics are at http://${HOST}:${port}/metrics`)
})

async function stop() {
  http.close()
  const how = { code: 1001, reason: 'The server stops', timeout: 10_000 }
  await Promise.all([echo.shutdown(how), time.shutdown(how)])
  http.closeAllConnections()
}
process.once('SIGTERM', () => void stop())
