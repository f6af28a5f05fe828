// The examples of the README of `ws`, with the one import changed: written from README.md alone.
import { createServer } from 'node:http'
import WebSocket, { createWebSocketStream, WebSocketServer } from 'hubwire'

const server = createServer()
// The types of @types/ws know no third argument of 'connection' either.
const broadcast = /** @type {any} */ (new WebSocketServer({ noServer: true }))
const stream = new WebSocketServer({ noServer: true })

broadcast.on('connection', function connection(/** @type {any[]} */ ...[ws, request, client]) {
  ws.on('error', console.error)
  ws.on('message', function message(/** @type {any[]} */ ...[data, isBinary]) {
    console.log(`Received message ${data} from user ${client} at ${request.socket.remoteAddress}`)
    broadcast.clients.forEach(function each(/** @type {WebSocket} */ other) {
      if (other !== ws && other.readyState === WebSocket.OPEN) other.send(data, { binary: isBinary })
    })
  })
  ws.send('something')
})

stream.on('connection', function connection(ws) {
  const duplex = createWebSocketStream(ws, { encoding: 'utf8' })
  duplex.on('error', console.error)
  duplex.pipe(duplex)
})

// How to detect and close broken connections: hubwire does that itself; this does no harm.
const alive = new WeakSet()
broadcast.on('connection', function connection(/** @type {WebSocket} */ ws) {
  alive.add(ws)
  ws.on('pong', () => alive.add(ws))
})
const interval = setInterval(function ping() {
  broadcast.clients.forEach(function each(/** @type {WebSocket} */ ws) {
    if (alive.delete(ws)) ws.ping()
    else ws.terminate()
  })
}, 500)
broadcast.on('close', () => clearInterval(interval))

server.on('upgrade', function upgrade(request, socket, head) {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'wss://base.url')
  const user = searchParams.get('user')
  if (user === null) {
    socket.write('HTTP/1.1 401 Unauthorized\r\n\r\n')
    socket.destroy()
  } else if (pathname === '/broadcast') {
    broadcast.handleUpgrade(request, socket, head, function done(/** @type {WebSocket} */ ws) {
      broadcast.emit('connection', ws, request, user)
    })
  } else if (pathname === '/stream') {
    stream.handleUpgrade(request, socket, head, function done(ws) {
      stream.emit('connection', ws, request)
    })
  } else {
    socket.destroy()
  }
})
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${/** @type {any} */ (server.address()).port}`)
})
