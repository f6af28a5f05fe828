// The primary of a cluster: it forks test/relay/worker.js, publishes what it is told, and passes on the workers' reports.
import cluster from 'node:cluster'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Hub } from 'hubwire'
import { clusterRelay } from 'hubwire/cluster'

const [count = '1', ...settings] = process.argv.slice(2)
cluster.setupPrimary({
  exec: fileURLToPath(new URL('worker.js', import.meta.url)),
  args: ['cluster', ...settings],
})
const hub = new Hub({ relay: clusterRelay({ heartbeatInterval: 100 }) })
const workers = Array.from({ length: Number(count) }, () => cluster.fork())

/** @param {import('node:cluster').Worker} worker */
async function messageOf(worker) {
  const [message] = await once(worker, 'message')
  return message
}

await hub.ready
const ready = await Promise.all(workers.map(messageOf))
process.send?.({ ready })

/** @type {Record<string, (value: any) => unknown>} */
const commands = {
  async publish(/** @type {[string, string][]} */ messages) {
    return await Promise.all(messages.map(([group, text]) => hub.publish(group, text)))
  },
  async report(/** @type {number} */ expected) {
    const alive = workers.filter((worker) => worker.isConnected())
    const reports = alive.map(messageOf)
    for (const worker of alive) worker.send({ expected })
    return await Promise.all(reports)
  },
  async count(/** @type {string} */ group) {
    return await hub.group(group).count()
  },
  async kill(/** @type {number} */ index) {
    const worker = workers[index]
    worker?.process.kill('SIGKILL')
    await once(worker ?? cluster, 'exit')
  },
  signal(/** @type {[index: number, name: NodeJS.Signals]} */ [index, name]) {
    workers[index]?.process.kill(name)
  },
  async end() {
    for (const worker of workers) if (worker.isConnected()) worker.send({ end: true })
    await Promise.all(workers.filter((worker) => !worker.isDead()).map((worker) => once(worker, 'exit')))
    await hub.close()
  },
}

process.on('message', (/** @type {{ command: string, value: unknown }} */ { command, value }) => {
  void Promise.resolve(commands[command]?.(value)).then((result) => {
    process.send?.({ result: result ?? null }, () => {
      if (command === 'end') process.disconnect()
    })
  })
})
