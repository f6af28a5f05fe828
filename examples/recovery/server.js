// News that a page misses none of: three workers share one port with node:cluster, and their group has a history in Redis.
//   REDIS_URL=redis://127.0.0.1:6379 node examples/recovery/server.js
// Open several pages, and send SIGHUP to the primary: it replaces all workers, and the pages resume where they were.
import cluster from 'node:cluster'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { Hub, listen, WebSocketServer } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'
import { servePage } from './serve-page.js'

const { HOST = '127.0.0.1', PORT = '8000', WORKERS = '3', REDIS_URL = 'redis://127.0.0.1:6379' } = process.env

// The same in all processes, and before the first member joins.
const hub = new Hub({ relay: redisRelay(createClient({ url: REDIS_URL }), { prefix: 'news:' }) })
const news = hub.group('news', {
  history: {
    size: 10_000, // messages that are kept
    ttl: 60_000, // milliseconds for which they are
    encode: (text, position) => JSON.stringify({ text, position }),
  },
})
await hub.ready

if (cluster.isPrimary) await runPrimary()
else await runWorker()

async function runWorker() {
  const http = createServer(servePage)
  const server = new WebSocketServer({ server: http, path: '/news' })
  server.on('connection', async (socket, request) => {
    const since = new URL(request.url ?? '', 'ws://host').searchParams.get('since')
    const { recovered, position } = await news.add(socket, { since }) // first what it missed, then what is new
    socket.send(JSON.stringify({ recovered, position }))
  })
  async function stop() {
    await server.shutdown({ code: 1001, reason: 'The server stops', timeout: 10_000 })
    http.closeAllConnections()
    http.close()
    await hub.close()
    cluster.worker?.disconnect() // its channel to the primary keeps a worker running
  }
  // A terminal sends SIGINT to all processes, and then the primary sends SIGTERM.
  process.on('SIGINT', () => undefined).once('SIGTERM', () => void stop())
  await listen(http, { host: HOST, port: Number(PORT) })
}

async function runPrimary() {
  const addresses = await Promise.all(Array.from({ length: Number(WORKERS) }, startWorker))
  console.log(`The workers listen at http://${HOST}:${addresses[0]?.port}`)

  // One restart at a time, even if the signal arrives twice.
  let restarts = Promise.resolve()
  process.on('SIGHUP', () => {
    restarts = restarts.then(replaceWorkers)
  })
  const end = new AbortController()
  process.once('SIGTERM', () => end.abort()).once('SIGINT', () => end.abort())
  for (let number = 1; !end.signal.aborted; number++) {
    // It is the same message until Redis has taken it. One that Redis took without our knowing comes twice.
    const { relayed } = await news.publish(`message ${number}`)
    if (!relayed) number--
    await setTimeout(10)
  }
  for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM')
  await hub.close()
}

/**
 * Starts a worker, and waits until it listens.
 * @returns {Promise<import('node:cluster').Address>}
 */
async function startWorker() {
  const [address] = await once(cluster.fork(), 'listening')
  return address
}

/** Replaces one worker after the other. The new one is ready before the clients of the old one reconnect. */
async function replaceWorkers() {
  for (const old of Object.values(cluster.workers ?? {})) {
    if (old === undefined || old.isDead()) continue
    const exit = once(old, 'exit')
    await startWorker()
    old.process.kill('SIGTERM')
    await exit
  }
  console.log('All workers have been replaced')
}
