import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import {
  authenticated,
  bytes,
  churn,
  compressed,
  fanOut,
  findUser,
  ready,
  storm,
  STREAM,
  stream,
  tls,
} from './control.js'

// The peer `baseline` is another build of hubwire, given by its URL.
const { Hub, WebSocketServer } = /** @type {typeof import('hubwire')} */ (
  await import(process.env.HUBWIRE_BENCH_MODULE ?? 'hubwire')
)

const httpServer = tls === undefined ? createServer() : createSecureServer(tls)
/** @type {import('hubwire').WebSocketServerOptions<{ name: string } | undefined>} */
const options = {
  server: httpServer,
  perMessageDeflate: compressed && { serverNoContextTakeover: true, clientNoContextTakeover: true },
  ...(authenticated ? { authenticate: findUser } : {}),
  ...(bytes ? { textType: 'buffer' } : {}),
}
const server = new WebSocketServer(options)
const all = new Hub().group('all')

server.on('connection', (socket) => {
  if (fanOut || churn) all.add(socket)
  socket.on('message', (data, isBinary) => {
    if (churn) {
      all.delete(socket)
      all.add(socket)
    }
    if (storm && !all.has(socket)) {
      all.add(socket)
      socket.send(data)
    } else if (fanOut || churn || storm) all.broadcast(data)
    else if (stream) for (const message of STREAM) socket.send(message)
    else if (bytes) socket.send(data, { binary: isBinary })
    else socket.send(data)
  })
})

httpServer.listen(0, '127.0.0.1', () => {
  const address = httpServer.address()
  if (address !== null && typeof address === 'object') ready(address.port)
})
