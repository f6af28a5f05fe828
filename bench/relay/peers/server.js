// A worker with real clients: node peers/server.js REDIS SOCKET
import { Hub, WebSocketServer } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { serve } from '../control.js'
import { redisClient } from './clients.js'

const [redis = '', unixPath = ''] = process.argv.slice(2)
const hub = new Hub({ relay: redisRelay(redisClient(redis)) })
const news = hub.group('news')
new WebSocketServer({ unixPath }).on('connection', async (socket) => {
  news.add(socket)
  await news.ready
  socket.send('joined')
})
serve(() => undefined)
