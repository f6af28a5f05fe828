// A chat on several workers that share one port with node:cluster: a message reaches the clients of all workers, and all
// clients are told who is online (connect with ?name=Ada). SIGHUP replaces the workers one by one, SIGTERM stops them.
// PORT, HOST and WORKERS set the address and the number of workers.
import cluster from 'node:cluster'
import { once } from 'node:events'
import { Hub, WebSocketServer } from 'hubwire'
import { clusterRelay } from 'hubwire/cluster'

const { HOST = '127.0.0.1', PORT = '8000', WORKERS = '2' } = process.env
let isStopping = false

if (cluster.isPrimary) await runPrimary()
else runWorker()

/** Listens for all workers, and gives each the next connection. */
async function runPrimary() {
  clusterRelay() // relays between the workers that are started from now on
  const addresses = await Promise.all(Array.from({ length: Number(WORKERS) }, startWorker))
  console.log(`The workers listen at http://${HOST}:${addresses[0]?.port}`)

  // One restart at a time, even if the signal arrives twice.
  let restarts = Promise.resolve()
  process.on('SIGHUP', () => {
    restarts = restarts.then(restart).catch(fail)
  })
  const stop = () => {
    isStopping = true
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM')
  }
  process.once('SIGTERM', stop).once('SIGINT', stop)
}

/** @param {unknown} error */
function fail(error) {
  console.error(error)
  process.exitCode = 1
}

/**
 * Starts a worker, and waits until it listens. From then on it is replaced if it dies.
 * @returns {Promise<import('node:cluster').Address>}
 */
async function startWorker() {
  const worker = cluster.fork()
  const start = new AbortController()
  worker.once('exit', (code) => start.abort(new Error(`A worker ended with ${code} before it listened`)))
  const [address] = await once(worker, 'listening', { signal: start.signal })
  worker.once('exit', () => {
    if (isStopping || worker.exitedAfterDisconnect) return // it was told to stop
    console.error(`The worker ${worker.process.pid} has died`)
    startWorker().catch(fail)
  })
  return address
}

/** Replaces all workers. The new worker is ready before the clients of the old one reconnect. */
async function restart() {
  for (const old of Object.values(cluster.workers ?? {})) {
    if (old === undefined || old.isDead()) continue
    const exit = once(old, 'exit')
    await startWorker()
    old.process.kill('SIGTERM')
    await exit
  }
  console.log('All workers have been replaced')
}

function runWorker() {
  // The clients of a killed worker leave after 20 heartbeats of so many milliseconds.
  /** @type {Hub<import('hubwire').WebSocket>} */
  const hub = new Hub({ relay: clusterRelay({ heartbeatInterval: 250 }) })
  const chat = hub.group('chat')
  hub.on('presence', async () => {
    const { members } = await chat.members() // of all workers
    const names = members.map(({ data }) => /** @type {string} */ (data)).sort()
    for (const socket of chat) socket.send(`here: ${names.join(', ')}`) // to those of this worker
  })
  const server = new WebSocketServer({ host: HOST, port: Number(PORT) })
  server.on('connection', async (socket, request) => {
    const name = new URLSearchParams(request.url?.split('?')[1]).get('name') || 'Guest'
    chat.add(socket, { presence: name.slice(0, 40) })
    await chat.ready // what the clients of other workers say arrives from here on
    socket.send(`worker ${process.pid}`)
    socket.on('message', (data) => chat.publish(data))
  })
  async function stop() {
    await server.shutdown({ code: 1001, reason: 'The server stops', spread: 1000, timeout: 10_000 })
    await hub.close()
    cluster.worker?.disconnect() // its channel to the primary keeps a worker running
  }
  // A terminal sends SIGINT to all processes, and then the primary sends SIGTERM.
  process.on('SIGINT', () => undefined).once('SIGTERM', () => void stop())
}
