// The chat of the Django Channels tutorial in hubwire, for any number of processes that share a Redis: rooms at
// /ws/chat/<room>/, messages in JSON, a JSON Web Token in the query. docs/from-django-channels.md shows both side by side.
// PORT and HOST set the address, REDIS_URL the broker, and JWT_SECRET the key of the tokens (HS256).
import { createServer } from 'node:http'
import { errors, jwtVerify } from 'jose'
import { queryToken, refuse, WebSocketServer } from 'hubwire'
import { hub } from './hub.js'

const { HOST = '127.0.0.1', PORT = '8000', JWT_SECRET = '' } = process.env
const key = new TextEncoder().encode(JWT_SECRET)
if (key.length < 32) throw new Error('JWT_SECRET must have at least 32 bytes (RFC 7518 section 3.2)')

/** @param {import('node:http').IncomingMessage} request */
async function authenticate(request) {
  const checks = { algorithms: ['HS256'], requiredClaims: ['sub', 'exp'] }
  try {
    const { payload } = await jwtVerify(queryToken(request, 'token') ?? '', key, checks)
    return { name: String(payload.sub) }
  } catch (error) {
    if (error instanceof errors.JOSEError) return refuse(403)
    throw error // our own error: the client gets a 500, the server emits 'error'
  }
}

const http = createServer((_request, response) => response.writeHead(404).end())
const server = new WebSocketServer({ server: http, path: '/ws/chat/:room/', authenticate })

server.on('connection', async (socket) => {
  const { name } = socket.user
  const room = hub.group(`chat_${socket.params.room}`)
  /** @param {object} event */
  const tell = (event) => room.broadcast(JSON.stringify(event))

  room.add(socket) // it leaves by itself when it closes
  socket.on('message', (data, isBinary) => {
    if (isBinary) throw new TypeError('Messages are text')
    const { type, text } = JSON.parse(data)
    if (type === 'ping') socket.send(JSON.stringify({ type: 'pong' }))
    else tell({ type: 'message', name, text })
  })
  socket.on('close', () => tell({ type: 'left', name }))

  await room.ready // from here on, what other processes send arrives
  if (socket.readyState === socket.OPEN) tell({ type: 'joined', name })
})

http.listen(Number(PORT), HOST, () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address())
  console.log(`The chat is at http://${HOST}:${port}/`)
})

async function stop() {
  http.close()
  await server.shutdown({ code: 1001, reason: 'The server stops', timeout: 10_000 })
  await hub.close()
}
process.once('SIGTERM', () => void stop())
