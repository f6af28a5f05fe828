// One process with many groups: node --expose-gc groups.js CLIENT REDIS COUNT. Prints a line of JSON.
import { setImmediate as turn } from 'node:timers/promises'
import { Hub } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'
import { now, say } from './control.js'
import { ioredisClient, redisClient } from './peers/clients.js'

const [client = 'redis', path = '', count = '100000'] = process.argv.slice(2)
const COUNT = Number(count)

const hub = new Hub({ relay: redisRelay(client === 'redis' ? redisClient(path) : ioredisClient(path)) })
await hub.ready
const admin = await createClient({ socket: { path, tls: false } }).connect()

/**
 * Runs something, and says how long it took and the longest time for which the event loop was held meanwhile.
 *
 * @param {() => Promise<unknown>} run
 */
async function timed(run) {
  const start = now()
  let last = start
  let longest = 0
  let isOver = false
  const watch = () => {
    longest = Math.max(longest, now() - last)
    last = now()
    if (!isOver) setImmediate(watch)
  }
  setImmediate(watch)
  await run()
  await turn()
  isOver = true
  return { milliseconds: (now() - start) / 1000, held: longest / 1000 }
}

function memory() {
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  return { heapUsed, rss }
}

const member = {
  readyState: 1,
  deliver: () => true,
  close: () => undefined,
  onceClosed: () => undefined,
}
const names = Array.from({ length: COUNT }, (_, index) => `group ${index}`)
const before = memory()
const plain = new Hub()
for (const name of names) plain.group(name).add(member)
const local = memory()
const joined = await timed(async () => {
  // As clients come, not all in one turn.
  for (const [index, name] of names.entries()) {
    hub.group(name).add(member)
    if (index % 500 === 499) await turn()
  }
  await Promise.all(names.map((name) => hub.group(name).ready))
})
const after = memory()
await admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub'])
while (hub.stats().relay?.connected) await turn()
const restored = await timed(async () => {
  while (!hub.stats().relay?.connected) await turn()
})
say({
  joined,
  restored,
  heap: (after.heapUsed - local.heapUsed) / COUNT,
  localHeap: (local.heapUsed - before.heapUsed) / COUNT,
  rss: (after.rss - local.rss) / COUNT,
})
await hub.close()
admin.destroy()
