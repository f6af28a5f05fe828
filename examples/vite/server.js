// The backend of examples/vite: it gives a token to every client, and has three services that require one. A real backend
// gives tokens only to users who have logged in. PORT and HOST set the address.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { answerPings, Hub, queryToken, refuse, WebSocketServer } from 'hubwire'

const { HOST = '127.0.0.1', PORT = '8000' } = process.env

/** Each token is valid for one connection, within a minute. */
const tokens = new Set()

const http = createServer((request, response) => {
  if (request.url !== '/api/token' || request.method !== 'POST') {
    response.writeHead(404).end()
    return
  }
  const token = randomUUID()
  tokens.add(token)
  setTimeout(() => tokens.delete(token), 60_000).unref()
  response.end(token)
})

/** @param {import('hubwire').Path} path */
const serve = (path) =>
  new WebSocketServer({
    server: http,
    path,
    authenticate: (request) =>
      tokens.delete(queryToken(request, 'token')) ? {} : refuse.close(4401, 'The token is not valid'),
  }).on('connection', (socket) => answerPings(socket))

const hub = new Hub()
const chat = serve(/^\/ws\/chat\/(?<room>\w+)\/$/).on('connection', (socket) => {
  const room = hub.group(`chat ${socket.params.room}`)
  room.add(socket)
  socket.on('message', (data) => room.broadcast(data))
})
const notices = serve('/ws/notices/').on('connection', (socket) => {
  hub.group('notices').add(socket)
  socket.on('message', (data, isBinary) => {
    if (!isBinary) hub.broadcast('notices', `Notice: ${data}`)
  })
})
const echo = serve('/ws/echo').on('connection', (socket) => {
  socket.on('message', (data) => socket.send(data))
})

http.listen(Number(PORT), HOST, () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address())
  console.log(`The backend is at http://${HOST}:${port}/`)
})

async function stop() {
  http.close()
  const farewell = { code: 1012, reason: 'The server restarts', timeout: 5000 }
  await Promise.all([chat, notices, echo].map((server) => server.shutdown(farewell)))
  http.closeAllConnections()
}
process.once('SIGTERM', () => void stop()).once('SIGINT', () => void stop())
