// A chat on one port: the page at /, an echo at /ws/echo, and rooms at /ws/chat/<room>/. Run `npm start` and open
// http://127.0.0.1:8000/ in two tabs. PORT and HOST set the address.
import { createServer } from 'node:http'
import { Hub, WebSocketServer } from 'hubwire'
import { servePage } from './serve-page.js'

const { HOST = '127.0.0.1', PORT = '8000' } = process.env
const http = createServer(servePage)

const echo = new WebSocketServer({ server: http, path: '/ws/echo' })
echo.on('connection', (socket, request) => {
  console.log(`WebSocket ${request.url}`)
  socket.on('message', (data) => socket.send(data)) // sends a string as text, a Buffer as binary
})

const hub = new Hub()
const names = new WeakMap()
const chat = new WebSocketServer({ server: http, path: /^\/ws\/chat\/(?<room>\w+)\/$/ })
chat.on('connection', (socket, request) => {
  console.log(`WebSocket ${request.url}`)
  const room = hub.group(`chat_${socket.params.room}`)
  const name = new URLSearchParams(request.url?.split('?')[1]).get('name')
  const member = name ? name.slice(0, 40) : 'Guest'
  const reply = (/** @type {object} */ event) => socket.send(JSON.stringify(event))
  const tellOthers = (/** @type {object} */ event) =>
    room.broadcast(JSON.stringify({ ...event, member }), { except: socket })

  names.set(socket, member)
  room.add(socket) // removed automatically when the socket closes
  const members = Array.from(room, (each) => names.get(each))
  reply({ type: 'connection_established', room: socket.params.room, member, members })
  tellOthers({ type: 'member_joined' })

  socket.on('message', (data) => {
    const said = parse(data)
    if (!said) reply({ type: 'error', message: 'A message is a JSON object, such as {"text": "hello"}' })
    else if (said.action === 'ping') reply({ type: 'pong' })
    else tellOthers({ ...said, type: 'chat_message' })
  })
  socket.on('close', () => tellOthers({ type: 'member_left' }))
})

http.listen(Number(PORT), HOST, () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address())
  console.log(`The chat is at http://${HOST.includes(':') ? `[${HOST}]` : HOST}:${port}/`)
})

async function stop() {
  http.close()
  const farewell = { code: 1001, reason: 'The server stops', timeout: 5000 }
  await Promise.all([echo.shutdown(farewell), chat.shutdown(farewell)])
  http.closeAllConnections()
}
process.once('SIGTERM', () => void stop()).once('SIGINT', () => void stop())

/**
 * Parses a message. Returns `undefined` if it is not a JSON object.
 *
 * @param {unknown} data
 * @returns {Record<string, unknown> | undefined}
 */
function parse(data) {
  try {
    const value = JSON.parse(String(data))
    return value instanceof Object ? value : undefined
  } catch {
    return undefined
  }
}
