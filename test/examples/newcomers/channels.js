// A chat as Django Channels' tutorial has it, with sessions, and what a view sends: written from README.md alone.
// Its argument is the path of a unix socket, as with `daphne -u`.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { cookieToken, Hub, listen, refuse, routes } from 'hubwire'

const hub = new Hub()
/** @type {Map<string, { name: string }>} */
const sessions = new Map()
/** @param {import('node:http').IncomingMessage} request */
const sessionOf = (request) => sessions.get(cookieToken(request, 'sessionid') ?? '')

/** @param {string} room */
async function historyOf(room) {
  await setImmediate() // a database
  return [`history of ${room}`]
}

const http = createServer((request, response) => void answer(request, response))

/** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
async function answer(request, response) {
  const [, view, argument = ''] = (request.url ?? '').split('/')
  if (view === 'login') {
    const id = randomUUID()
    sessions.set(id, { name: argument })
    return response.setHeader('Set-Cookie', `sessionid=${id}; HttpOnly; Path=/`).end()
  }
  const message = JSON.stringify({ type: view, text: await text(request) })
  if (view === 'announce') return response.end(JSON.stringify(hub.broadcast(`chat_${argument}`, message)))
  if (view === 'notify') return response.end(JSON.stringify(hub.broadcast(`user_${argument}`, message)))
  return response.writeHead(404).end()
}

routes(
  {
    '/ws/chat/:room/': async (socket) => {
      const room = hub.group(`chat_${socket.params.room}`)
      room.add(socket)
      hub.group(`user_${socket.user.name}`).add(socket) // channel_layer.send reaches a user by this group
      socket.send(JSON.stringify({ type: 'history', lines: await historyOf(socket.params.room) }))
      socket.on('message', (data, isBinary) => {
        if (isBinary) throw new Error('Only text is JSON')
        const { message } = JSON.parse(data)
        room.broadcast(JSON.stringify({ type: 'chat', from: socket.user.name, message }))
      })
    },
  },
  {
    server: http,
    authenticate: (/** @type {import('node:http').IncomingMessage} */ request) =>
      sessionOf(request) ?? refuse(403, { body: 'Log in first\n' }),
  },
)
await listen(http, { unixPath: String(process.argv[2]), unixMode: 0o660 })
console.log('listening')
