// An express application and a WebSocket server on one port. POST /login sets a session cookie that both check. The text
// posted to /news is sent to all clients of /ws/news. PORT and HOST set the address.
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import express from 'express'
import { cookieToken, Hub, refuse, WebSocketServer } from 'hubwire'

const { HOST = '127.0.0.1', PORT = '8000' } = process.env
const hub = new Hub()

/** @type {Map<string, string>} */
const names = new Map()
/** @param {import('node:http').IncomingMessage} request */
const userOf = (request) => names.get(cookieToken(request, 'session') ?? '')

const app = express()
app.get('/', (_request, response) => response.type('text').send('News at /ws/news\n'))
app.post('/login', express.urlencoded(), (request, response) => {
  const name = request.body?.name
  if (typeof name !== 'string' || name === '') return void response.sendStatus(400)
  const session = randomBytes(16).toString('base64url')
  names.set(session, name)
  response.cookie('session', session, { httpOnly: true, sameSite: 'lax' }).sendStatus(204)
})
app.post('/news', express.text(), (request, response) => {
  const name = userOf(request)
  if (name === undefined) return void response.sendStatus(401)
  response.json(hub.broadcast('news', `${name}: ${request.body}`))
})

const http = createServer(app)
const news = new WebSocketServer({
  server: http,
  path: '/ws/news',
  authenticate: (request) => userOf(request) ?? refuse(401, { body: 'Log in first\n' }),
})
news.on('connection', (socket) => {
  hub.group('news').add(socket) // removed automatically when the socket closes
  socket.send(`Welcome, ${socket.user}`)
})

http.listen(Number(PORT), HOST, () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address())
  console.log(`The news is at http://${HOST}:${port}/`)
})

async function stop() {
  http.close() // stops accepting connections; pending requests may finish
  setTimeout(() => http.closeAllConnections(), 10_000).unref() // within 10 s
  await news.shutdown({ code: 1001, reason: 'The server stops', timeout: 10_000 })
}
process.once('SIGTERM', () => void stop())
