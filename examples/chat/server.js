// A chat on one port: the page at /, rooms at /ws/chat/<room>/, an echo at /ws/echo, live statistics at /stats. Run
// `npm start` and open http://127.0.0.1:8000/ in two tabs. PORT and HOST set the address. With REDIS_URL several
// processes share the rooms.
import { createServer } from 'node:http'
import { answerPings, WebSocketServer } from 'hubwire'
import { makeHub } from './hubs.js'
import { parseObject } from './parse-object.js'
import { servePage } from './serve-page.js'
import { showStatistics } from './statistics.js'

const { HOST = '127.0.0.1', PORT = '8000' } = process.env
const http = createServer(servePage)
const rooms = await makeHub('rooms')
// Messages between the processes have their own hub, so that the statistics of the rooms do not count them.
const backstage = await makeHub('backstage')

const echo = new WebSocketServer({ server: http, path: '/ws/echo' })
echo.on('connection', (socket, request) => {
  console.log(`WebSocket ${request.url}`)
  socket.on('message', (data) => socket.send(data)) // sends a string as text, a Buffer as binary
})

/** The sockets that have got the list of members. From then on, they get its changes. */
const welcomed = new WeakSet()
rooms.on('presence', ({ group, joined, left }) => {
  const came = joined.map(({ data }) => ({ type: 'member_joined', member: data }))
  const events = [...came, ...left.map(({ data }) => ({ type: 'member_left', member: data }))]
  for (const event of events.map((each) => JSON.stringify(each))) {
    for (const socket of rooms.group(group)) if (welcomed.has(socket)) socket.send(event) // in this process only
  }
})
const chat = new WebSocketServer({ server: http, path: '/ws/chat/:room/' })
chat.on('connection', async (socket, request) => {
  console.log(`WebSocket ${request.url}`)
  const room = socket.params.room.slice(0, 40)
  const member = new URLSearchParams(request.url?.split('?')[1]).get('name')?.slice(0, 40) || 'Guest'
  const group = rooms.group(`chat_${room}`)
  const reply = (/** @type {object} */ event) => socket.send(JSON.stringify(event))

  group.add(socket, { presence: member }) // removed automatically when the socket closes
  const { members } = await group.members() // in all processes
  welcomed.add(socket)
  reply({ type: 'connection_established', room, member, members: members.map(({ data }) => data) })
  answerPings(socket)
  socket.on('message', async (data) => {
    const said = parseObject(data)
    if (!said) {
      reply({ type: 'error', message: 'A message is a JSON object, such as {"text": "hello"}' })
      return
    }
    const event = { ...said, type: 'chat_message', member }
    const { delivered, relayed } = await group.publish(JSON.stringify(event), { except: socket })
    if (said.id !== undefined) reply({ type: 'delivered', id: said.id, members: delivered, relayed })
  })
})

const statistics = new WebSocketServer({ server: http, path: '/ws/stats' })
showStatistics(statistics, { of: [chat, echo], rooms, backstage })

http.listen(Number(PORT), HOST, () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address())
  console.log(`The chat is at http://${HOST.includes(':') ? `[${HOST}]` : HOST}:${port}/`)
})

async function stop() {
  http.close()
  const farewell = { code: 1001, reason: 'The server stops', timeout: 5000 }
  await Promise.all([echo, chat, statistics].map((server) => server.shutdown(farewell)))
  http.closeAllConnections()
  await Promise.all([rooms.close(), backstage.close()])
}
process.once('SIGTERM', () => void stop()).once('SIGINT', () => void stop())
