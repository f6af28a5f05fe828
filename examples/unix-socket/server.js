// HTTP and WebSocket on one unix socket, as `daphne -u /run/app.sock` serves them:
//
//   node server.js /run/app/http.sock             fails while another server listens there
//   node server.js /run/app/http.sock takeover    replaces it; the other one keeps its connections
import { createServer } from 'node:http'
import { listen, WebSocketServer } from 'hubwire'

const [unixPath = '/run/app/http.sock', how] = process.argv.slice(2)
const { UNIX_MODE = '660', NAME = String(process.pid) } = process.env

const http = createServer((_request, response) => response.end(`hello from ${NAME}\n`))
const server = new WebSocketServer({ server: http, path: '/ws', trustProxy: 1 })
server.on('connection', (socket) => socket.send(`hello from ${NAME}`))

await listen(http, { unixPath, unixMode: Number.parseInt(UNIX_MODE, 8), takeover: how === 'takeover' })
console.log(`listening at ${unixPath}`)

async function stop() {
  http.close()
  await server.shutdown({ timeout: 10_000 })
}
process.once('SIGTERM', () => void stop())
