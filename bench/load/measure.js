import { join } from 'node:path'
import { parseJson } from '../json.js'
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
 * Starts a server, and ends it when `use` has finished.
 *
 * @template Result
 * @param {Peer} peer
 * @param {MessageLoad | ConnectionLoad} load
 * @param {Place} place
 * @param {(server: Child, port: number) => Promise<Result>} use
 * @returns {Promise<Result>}
 */
export async function withServer(peer, load, { cores, node }, use) {
  const server = new Child(
    pinned([...commandOf(peer, node), ...serverOptions(load)], cores?.server),
    peer.environment,
  )
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
 * @param {MessageLoad | ConnectionLoad} load
 */
function serverOptions(load) {
  const mode = `${isCompressed(load) ? 'compressed-' : ''}${load.kind === 'fan-out' ? 'fan-out' : 'echo'}`
  const { payload, inFlight, binary } = shapeOf(load) ?? { payload: 1, inFlight: 1, binary: false }
  return [mode, String(payload), String(inFlight), binary ? 'binary' : 'text']
}

/** @param {MessageLoad | ConnectionLoad} load */
export function isCompressed(load) {
  return shapeOf(load)?.compressed ?? false
}

/**
 * @param {MessageLoad | ConnectionLoad} load
 * @returns {BatchShape | undefined}
 */
function shapeOf(load) {
  return 'payload' in load ? load : load.batch
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
  return /** @type {{ rss: number, heapUsed: number }} */ (parseJson(await server.line()))
}
