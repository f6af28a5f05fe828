import { compressed, fanOut, ready } from './control.js'

// The peer `baseline` is another build of hubwire, given by its URL.
const { Hub, WebSocketServer } = /** @type {typeof import('hubwire')} */ (
  await import(process.env.HUBWIRE_BENCH_MODULE ?? 'hubwire')
)

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  perMessageDeflate: compressed && { serverNoContextTakeover: true, clientNoContextTakeover: true },
})
const all = new Hub().group('all')

server.on('connection', (socket) => {
  if (fanOut) all.add(socket)
  socket.on('message', (data) => {
    if (fanOut) all.broadcast(data)
    else socket.send(data)
  })
})

server.on('listening', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') ready(address.port)
})
