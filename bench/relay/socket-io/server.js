// A worker with real clients: node socket-io/server.js REDIS SOCKET
import { createServer } from 'node:http'
import { createAdapter } from '@socket.io/redis-adapter'
import { Server } from 'socket.io'
import { serve } from '../control.js'
import { redisClient } from '../peers/clients.js'

const [redis = '', path = ''] = process.argv.slice(2)
const [publishing, subscribing] = [redisClient(redis), redisClient(redis)]
await Promise.all([publishing.connect(), subscribing.connect()])
const http = createServer()
const io = new Server(http, { adapter: createAdapter(publishing, subscribing), transports: ['websocket'] })
io.on('connection', (/** @type {any} */ socket) => {
  void socket.join('news')
  socket.emit('joined')
})
http.listen(path)
serve(() => undefined)
