import { join } from 'node:path'
import { parseJson } from '../json.js'
import { packagesOn } from '../consumers/install.js'
import { certificateDirectory } from './certificate.js'
import { Child } from './child.js'
import { commandOf } from './peers.js'
import { pinned } from './pinning.js'

/** @typedef {import('./peers.js').Peer} Peer */
/** @typedef {import('./pinning.js').Cores} Cores */
/** @typedef {import('./client/measurement.js').Sample} Sample */
/** @typedef {import('./client/task.js').MessageTask} MessageTask */
/** @typedef {import('./client/task.js').ConnectionTask} ConnectionTask */
/** @typedef {import('./client/batch.js').BatchShape} BatchShape */
/** @typedef {Omit<MessageTask, 'port' | 'pid'>} MessageLoad */
/** @typedef {Omit<ConnectionTask, 'port' | 'pid'>} ConnectionLoad */
/** @typedef {import('./client/task.js').PacedTask} PacedTask */
/** @typedef {Omit<PacedTask, 'port' | 'pid' | 'perSecond'>} PacedLoad a load of which the rate is still to be found */
/** @typedef {Omit<import('./client/task.js').DelayTask, 'port' | 'pid'>} DelayLoad */
/** @typedef {Omit<import('./client/task.js').ConsumerTask, 'port' | 'pid' | 'packages'>} ConsumerLoad */
/** @typedef {{ kind: 'storm', members: number, connections: number, batch: BatchShape }} StormLoad */
/** @typedef {MessageLoad | ConnectionLoad | PacedLoad | DelayLoad | StormLoad | ConsumerLoad} Load */

/**
 * @typedef {object} Place where the processes run
 * @property {Cores | null} cores
 * @property {string} node the executable for the servers
 */

/**
 * @typedef {object} Memory
 * @property {number} rss bytes of resident memory for each connection
 * @property {number} heap bytes of JavaScript's heap for each
 */

/**
 * glibc returns freed memory to the kernel if there is enough of it at the end of the heap, which depends on where a
 * process happens to keep its other memory. With this limit no process does: some echoed 16 KiB in 20 µs and others in
 * 25 to 30, hubwire and `ws` alike. Other allocators ignore it.
 */
const KEEP_FREED_MEMORY = { MALLOC_TRIM_THRESHOLD_: String(512 * 1024 * 1024) }

/** Connections made before memory is first measured, so that what the first of them loads is not counted. */
const FIRST_CONNECTIONS = 100

/**
 * One server process under one load.
 *
 * @param {Peer} peer
 * @param {MessageLoad | ConnectionLoad} load
 * @param {Place} place
 * @returns {Promise<Sample>}
 */
export async function measure(peer, load, place) {
  return withServer(peer, load, place, async (server, port) => {
    const client = startClient({ ...load, port, pid: server.pid }, place.cores)
    try {
      return /** @type {Sample} */ (parseJson(await client.line()))
    } finally {
      await client.end()
    }
  })
}

/**
 * The memory that a server needs for idle connections, after garbage collection.
 *
 * @param {Peer} peer
 * @param {ConnectionLoad} load
 * @param {Place} place
 * @returns {Promise<Memory>}
 */
export async function measureMemory(peer, load, place) {
  return withServer(peer, load, place, async (server, port) => {
    const clients = [
      startClient({ ...load, connections: FIRST_CONNECTIONS, port, pid: server.pid }, place.cores),
    ]
    await clients[0]?.line()
    const before = await memoryOf(server)
    const client = startClient({ ...load, port, pid: server.pid }, place.cores)
    clients.push(client)
    try {
      await client.line()
      const after = await memoryOf(server)
      return {
        rss: (after.rss - before.rss) / load.connections,
        heap: (after.heapUsed - before.heapUsed) / load.connections,
      }
    } finally {
      await Promise.all(clients.map((each) => each.end()))
    }
  })
}

/**
 * The round trips of single messages that are sent at half the rate at which they saturate this peer.
 *
 * @param {Peer} peer
 * @param {PacedLoad} load
 * @param {Place} place
 * @returns {Promise<Sample>}
 */
export async function measurePaced(peer, load, place) {
  const { warmUp, seconds, connections, payload } = load
  const echo = { kind: /** @type {const} */ ('echo'), connections, payload, inFlight: 1, warmUp, seconds }
  const saturated = await measure(peer, { ...echo, binary: false, compressed: false }, place)
  return withServer(peer, load, place, async (server, port) => {
    const perSecond = saturated.perSecond / 2
    const client = startClient({ ...load, port, pid: server.pid, perSecond }, place.cores)
    try {
      return /** @type {Sample} */ (parseJson(await client.line()))
    } finally {
      await client.end()
    }
  })
}

/**
 * How long a message takes from its publisher to the members of a group while other clients reconnect.
 *
 * @param {Peer} peer
 * @param {StormLoad} load
 * @param {Place} place
 * @returns {Promise<Partial<Sample>>}
 */
export async function measureStorm(peer, load, place) {
  const { members, connections, batch } = load
  return withServer(peer, load, place, async (server, port) => {
    const group = startClient({ kind: 'publish', port, connections: members, batch }, place.cores)
    const crowd = startClient({ kind: 'reconnect', port, connections, batch }, place.cores)
    try {
      // Both are open.
      await Promise.all([group.line(), crowd.line()])
      group.write('publish')
      await group.line()
      crowd.write('reconnect')
      await crowd.line()
      group.write('end')
      return /** @type {Partial<Sample>} */ (parseJson(await group.line()))
    } finally {
      await Promise.all([group.end(), crowd.end()])
    }
  })
}

/**
 * A package that was written for ws, on the peer as its engine.
 *
 * @param {Peer} peer
 * @param {ConsumerLoad} load
 * @param {Place} place
 * @returns {Promise<Sample>}
 */
export async function measureConsumer(peer, load, place) {
  return withServer(peer, load, place, async (server, port) => {
    const packages = packagesOn(peer.engine ?? 'ws')
    const client = startClient({ ...load, port, pid: server.pid, packages }, place.cores)
    try {
      return /** @type {Sample} */ (parseJson(await client.line()))
    } finally {
      await client.end()
    }
  })
}

/**
 * The longest delay of the server's event loop while a load runs.
 *
 * @param {Peer} peer
 * @param {DelayLoad} load
 * @param {Place} place
 * @returns {Promise<{ longest: number | null }>} milliseconds
 */
export async function measureDelay(peer, load, place) {
  return withServer(peer, load, place, async (server, port) => {
    const client = startClient({ ...load, port, pid: server.pid }, place.cores)
    try {
      // The connections are open.
      await client.line()
      server.write('delay')
      client.write('go')
      await client.line()
      const { longest } = await memoryOf(server)
      return { longest }
    } finally {
      await client.end()
    }
  })
}

/**
 * Starts a server, and ends it when `use` has finished.
 *
 * @template Result
 * @param {Peer} peer
 * @param {Load} load
 * @param {Place} place
 * @param {(server: Child, port: number) => Promise<Result>} use
 * @returns {Promise<Result>}
 */
export async function withServer(peer, load, { cores, node }, use) {
  const isConsumer = load.kind === 'consumer'
  const command = isConsumer ? commandOf(peer, node, 'consumers.js') : commandOf(peer, node)
  const server = new Child(pinned([...command, ...serverOptions(load)], cores?.server), {
    ...peer.environment,
    ...(load.kind === 'idle' ? {} : KEEP_FREED_MEMORY),
    ...(isSecure(load) ? { HUBWIRE_BENCH_CERTIFICATE: certificateDirectory() } : {}),
    ...(isConsumer ? { HUBWIRE_BENCH_PACKAGES: packagesOn(peer.engine ?? 'ws') } : {}),
  })
  try {
    return await use(server, Number(await server.line()))
  } catch (error) {
    throw server.complaint === '' ? error : new Error(`the server: ${server.complaint}`, { cause: error })
  } finally {
    await server.end()
  }
}

/**
 * The server's mode, then the shape of a batch, which only the floor uses.
 *
 * @param {Load} load
 */
function serverOptions(load) {
  if (load.kind === 'consumer') return [load.consumer]
  const mode = [
    serverModeOf(load),
    ...(isCompressed(load) ? ['compressed'] : []),
    ...(isSecure(load) ? ['secure'] : []),
    ...('textAsBytes' in load && load.textAsBytes ? ['bytes'] : []),
    ...('authenticated' in load && load.authenticated ? ['authenticated'] : []),
  ].join('+')
  const { payload, inFlight, binary } = shapeOf(load) ?? { payload: 1, inFlight: 1, binary: false }
  return [mode, String(payload), String(inFlight), binary ? 'binary' : 'text']
}

/** @param {Load} load */
function serverModeOf({ kind }) {
  if (kind === 'fan-out' || kind === 'churn' || kind === 'stream' || kind === 'storm') return kind
  return 'echo'
}

/** @param {Load} load */
export function isSecure(load) {
  return 'secure' in load && load.secure
}

/** @param {Load} load */
export function isCompressed(load) {
  return shapeOf(load)?.compressed ?? false
}

/**
 * @param {Load} load
 * @returns {BatchShape | undefined}
 */
function shapeOf(load) {
  if (load.kind === 'echo' || load.kind === 'fan-out') return load
  if (load.kind === 'paced') return { ...load, inFlight: 1, binary: false, compressed: false }
  return 'batch' in load ? load.batch : undefined
}

/**
 * @param {import('./client/task.js').Task} task
 * @param {Cores | null} cores
 */
function startClient(task, cores) {
  const file = join(import.meta.dirname, 'client', 'main.js')
  return new Child(pinned([process.execPath, file, JSON.stringify(task)], cores?.client))
}

/** @param {Child} server */
async function memoryOf(server) {
  server.write('memory')
  return /** @type {{ rss: number, heapUsed: number, longest: number | null }} */ (
    parseJson(await server.line())
  )
}
