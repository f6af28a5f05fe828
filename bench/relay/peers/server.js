// A worker with real clients: node peers/server.js RELAY BROKER SOCKET
import { Hub, WebSocketServer } from 'hubwire'
import { serve } from '../control.js'
import { relays } from './relays.js'

const [relay = '', broker = '', unixPath = ''] = process.argv.slice(2)
const hub = new Hub({ relay: await relays[relay]?.(broker) })
const news = hub.group('news')
new WebSocketServer({ unixPath }).on('connection', async (socket) => {
  news.add(socket)
  await news.ready
  socket.send('joined')
})
serve(() => undefined)
