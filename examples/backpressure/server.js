// Two ways to serve slow readers. A client of /ws/archive gets every line, as fast as it reads. A client of /ws/prices gets
// the messages that are sent to /ws/publish, and misses some of them while it is too slow. PORT and HOST set the address.
import { Readable } from 'node:stream'
import { Hub, routes } from 'hubwire'

const { HOST = '127.0.0.1', PORT = '8000' } = process.env
const LINES = 32_000

function* lines() {
  for (let number = 1; number <= LINES; number++) yield String(number).padEnd(1024, '.')
}

/** @param {import('hubwire').WebSocket<undefined>} socket */
function sendArchive(socket) {
  const source = Readable.from(lines())
  source.on('data', (line) => {
    if (!socket.send(line)) source.pause() // the peer reads more slowly than we write
  })
  socket.on('drain', () => source.resume())
  source.on('end', () => socket.close(1000))
  socket.on('close', () => source.destroy())
}

const hub = new Hub({ maxBufferedAmount: 1024 * 1024, slowPolicy: 'skip' })

const server = routes(
  {
    '/ws/archive': sendArchive,
    '/ws/prices': (socket) => hub.group('prices').add(socket),
    '/ws/publish': (socket) => {
      socket.on('message', (price) => {
        const { delivered, skipped } = hub.broadcast('prices', price)
        socket.send(JSON.stringify({ delivered, skipped }))
      })
    },
  },
  { host: HOST, port: Number(PORT), maxBufferedAmount: 1024 * 1024 },
)

server.on('listening', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`The archive and the prices are at http://${HOST}:${port}/`)
})

process.once('SIGTERM', () => void server.shutdown({ code: 1001, reason: 'The server stops' }))
