// The backend of a page that vite builds: it serves the folder that is its argument, and the page's WebSocket at /ws/.
// Written from README.md and docs/browser.md alone.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { answerPings, Hub, WebSocketServer } from 'hubwire'

const folder = String(process.argv[2])
const types = { '.html': 'text/html', '.js': 'text/javascript' }

const http = createServer((request, response) => void serve(request.url, response))

/** @param {string | undefined} url @param {import('node:http').ServerResponse} response */
async function serve(url = '', response) {
  const path = url === '/' ? '/index.html' : url
  try {
    const type = types[/** @type {keyof typeof types} */ (extname(path))]
    response.setHeader('Content-Type', type).end(await readFile(join(folder, path)))
  } catch {
    response.writeHead(404).end()
  }
}

const hub = new Hub()
const server = new WebSocketServer({ server: http, path: '/ws/:room/' })
server.on('connection', (socket) => {
  const room = hub.group(socket.params.room)
  room.add(socket)
  answerPings(socket)
  socket.on('message', (data) => room.broadcast(data))
})
http.listen(Number(process.env.PORT), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${/** @type {any} */ (http.address()).port}`)
})

async function stop() {
  http.close()
  await server.shutdown({ code: 1012 })
  http.closeAllConnections()
}
process.once('SIGTERM', () => void stop())
