// One of several processes: it joins members to groups, says when it is ready, counts what they get, and answers.
import { Hub } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'

const [path = '', members = '0', groups = '1'] = process.argv.slice(2)
const client = createClient({ socket: { path, tls: false } })
const hub = new Hub({ relay: redisRelay(client, { heartbeatInterval: 200 }) })
/** @type {Map<string, string[]>[]} */
const received = []
let count = 0
let gaps = 0
hub.on('gap', () => gaps++)

for (let index = 0; index < Number(members); index++) {
  /** @type {Map<string, string[]>} */
  const mine = new Map()
  received.push(mine)
  for (const name of [`group ${index % Number(groups)}`, `group ${(7 * index + 1) % Number(groups)}`]) {
    mine.set(name, [])
    hub.group(name).add({
      readyState: 1,
      deliver(message) {
        mine.get(name)?.push(message.payload.toString())
        count++
        return true
      },
      close() {
        // Nothing to close.
      },
      onceClosed() {
        // It stays.
      },
    })
  }
}
await Promise.all([hub.ready, ...Array.from(hub.groups(), (group) => group.ready)])
process.send?.({ ready: true })

/** @param {number} expected */
async function report(expected) {
  while (count < expected && gaps === 0) await new Promise((resolve) => setImmediate(resolve))
  // Whatever is too much has come behind the answers of the others.
  await hub.nodes()
  process.send?.({ gaps, count, received: received.map((mine) => [...mine]) })
  await hub.close()
  process.disconnect()
}

process.on('message', (/** @type {{ expected: number }} */ { expected }) => void report(expected))
