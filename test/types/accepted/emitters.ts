// Events of sockets, servers and hubs, and what takes any emitter.
import { type EventEmitter, on, once } from 'node:events'
import { connect, Hub, type WebSocket, WebSocketServer } from 'hubwire'

const server = new WebSocketServer({ port: 0 })
const hub = new Hub()
const socket = await connect('ws://127.0.0.1:1')
const emitters: EventEmitter[] = [server, hub, socket]
emitters.push(server)

server
  .on('connection', (_socket, request) => request.url)
  .once('listening', () => server.address())
  .on('error', (error, failed) => failed?.close(1011, error.message))
  .on('headers', (headers) => headers.push('X-Server: 1'))
  .on('wsClientError', (_error, raw) => raw.destroy())
  .on('connection', async function (accepted) {
    accepted.send(`one of ${this.listenerCount('connection')}`)
    return Promise.resolve()
  })
socket
  .on('close', (code, reason, { wasClean, initiator, cause, dropped }) => {
    const all: [number, string, boolean, 'local' | 'remote', Error | undefined, number] = [
      code,
      reason,
      wasClean,
      initiator,
      cause,
      dropped,
    ]
    return all
  })
  .on('ping', (payload) => payload.length)
  .on('unexpected-response', (request, response) => [request.path, response.statusCode])
for (const event of ['open', 'drain', 'close'] as const) socket.on(event, () => socket.readyState)

await once(server, 'listening')
for await (const [data] of on(socket, 'message') as AsyncIterable<[string]>) socket.send(data)

// A function for every server, and one for every socket, whatever the user.
function size(any: WebSocketServer<unknown>): number {
  return any.stats().connections
}
function greet(any: WebSocket): void {
  any.send('hello')
}
const named = new WebSocketServer({ port: 0, authenticate: () => ({ name: 'ada' }) })
size(named)
size(server)
named.on('connection', greet)
