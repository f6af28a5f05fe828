// Named events, namespaces and acknowledgements, as in Flask-SocketIO. PORT and HOST set the address.
import { createServer } from 'node:http'
import { Hub, routes } from 'hubwire'
import { encode, handle } from './events.js'

const { HOST = '127.0.0.1', PORT = '8000' } = process.env
const hub = new Hub()

// POST /notify/ada sends from outside a handler: to all sockets of one user, whichever namespace they are in.
const http = createServer((request, response) => {
  const user = /^\/notify\/(\w+)$/.exec(request.url ?? '')?.[1]
  if (request.method !== 'POST' || user === undefined) return void response.writeHead(404).end()
  const { delivered } = hub.broadcast(`user ${user}`, encode('notice', 'You have mail'))
  response.end(JSON.stringify({ delivered }))
})

// A namespace is a route.
const server = routes(
  {
    '/chat/:user': (socket) => {
      const user = socket.params.user
      hub.group(`user ${user}`).add(socket) // as Channels' channel_layer.send: a group of one user's sockets
      handle(socket, {
        join: (room) => void hub.group(`room ${room}`).add(socket),
        leave: (room) => hub.group(`room ${room}`).delete(socket),
        say({ room, text }) {
          const { delivered } = hub.broadcast(`room ${room}`, encode('said', { user, text }), {
            except: socket,
          })
          return delivered
        },
      })
      socket.send(encode('welcome', user))
    },
    '/admin': (socket) => {
      handle(socket, { rooms: () => Array.from(hub.groups(), ({ name, size }) => ({ name, size })) })
    },
  },
  { server: http },
)
server.on('error', (error, socket) => console.error(`Failed for ${socket?.remoteAddress}: ${error.message}`))

http.listen(Number(PORT), HOST, () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address())
  console.log(`The events are at http://${HOST}:${port}`)
})

async function stop() {
  http.close()
  await server.shutdown({ code: 1001, reason: 'The server stops', timeout: 10_000 })
  http.closeAllConnections()
}
process.once('SIGTERM', () => void stop())
