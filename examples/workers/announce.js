// Sends a message to the clients of a topic, at all workers:
//   node examples/workers/announce.js news 'The workers restart at noon'
import { hub } from './hub.js'

const [topic, text] = process.argv.slice(2)
if (topic === undefined || text === undefined) throw new Error('usage: node announce.js TOPIC TEXT')

await hub.ready // waits while Redis cannot be reached
const { relayed } = await hub.publish(topic, text)
const { total, missing } = await hub.group(topic).count()
const { nodes } = await hub.nodes()
await hub.close() // the process ends

if (!relayed) throw new Error('Redis has not taken the message')
console.log(
  `Sent; ${nodes.length - 1} workers have ${total} clients of ${topic}, ${missing.length} did not answer`,
)
