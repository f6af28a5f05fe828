// Sends an announcement to a room, from a separate process:
//   REDIS_URL=redis://127.0.0.1:6379 node examples/channels/announce.js lobby 'The server restarts at noon'
import { hub } from './hub.js'

const [room, text] = process.argv.slice(2)
if (room === undefined || text === undefined) throw new Error('usage: node announce.js ROOM TEXT')

await hub.ready
const { relayed } = await hub.publish(`chat_${room}`, JSON.stringify({ type: 'announcement', text }))
await hub.close()
if (!relayed) throw new Error('Redis has not taken the announcement')
