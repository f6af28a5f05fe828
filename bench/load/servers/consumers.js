// Packages written for ws, on the engine that stands for ws in the folder HUBWIRE_BENCH_PACKAGES.
import { EventEmitter, on } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ready } from './control.js'

const load = createRequire(join(process.env.HUBWIRE_BENCH_PACKAGES ?? '', 'package.json'))

/** @typedef {import('../client/task.js').ConsumerTask['consumer']} Consumer */
/** @typedef {typeof import('ws')} Ws */

/** @type {Record<Consumer, (http: import('node:http').Server) => void>} */
const SERVERS = {
  'socket.io': (http) => {
    /** @type {{ Server: new (...options: unknown[]) => EventEmitter }} */
    const { Server } = load('socket.io')
    const server = new Server(http, { transports: ['websocket'], pingInterval: 60_000, serveClient: false })
    server.on('connection', (/** @type {EventEmitter} */ socket) => {
      socket.on('echo', (text) => socket.emit('echo', text))
      // To all, which `emit` of Socket.IO's server means.
      socket.on('all', (text) => server.emit('all', text))
    })
  },

  'graphql-ws': (http) => {
    /** @type {{ buildSchema(source: string): object }} */
    const { buildSchema } = load('graphql')
    /** @type {{ useServer(options: object, server: object): void }} */
    const { useServer } = load('graphql-ws/use/ws')
    /** @type {Ws} */
    const { WebSocketServer } = load('ws')
    const source = new EventEmitter().setMaxListeners(0)
    const roots = {
      subscription: {
        async *news() {
          for await (const [news] of on(source, 'news')) yield { news }
        },
      },
    }
    const server = new WebSocketServer({ noServer: true })
    const publishers = new WebSocketServer({ noServer: true })
    useServer(
      { schema: buildSchema('type Query { a: Int } type Subscription { news: String }'), roots },
      server,
    )
    publishers.on('connection', (socket) => {
      socket.on('message', (/** @type {Buffer} */ text) => source.emit('news', text.toString()))
    })
    http.on('upgrade', (request, socket, head) => {
      const own = request.url === '/publish' ? publishers : server
      own.handleUpgrade(request, socket, head, (webSocket) => own.emit('connection', webSocket, request))
    })
  },

  'y-websocket': (http) => {
    /** @type {{ setupWSConnection(socket: object, request: object): void }} */
    const { setupWSConnection } = load('y-websocket/bin/utils')
    /** @type {Ws} */
    const { WebSocketServer } = load('ws')
    new WebSocketServer({ server: http }).on('connection', setupWSConnection)
  },
}

const http = createServer()
SERVERS[/** @type {Consumer} */ (process.argv[2])](http)
http.listen(0, '127.0.0.1', () => {
  const address = http.address()
  if (address !== null && typeof address === 'object') ready(address.port)
})
