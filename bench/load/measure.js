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
/** @typedef {Omit<MessageTask, 'port' | 'pid'>} MessageLoad */
/** @typedef {Omit<ConnectionTask, 'port' | 'pid'>} ConnectionLoad */

/**
 * @typedef {object} Memory
 * @property {number} rss octets of resident memory for each connection
 * @property {number} heap octets of JavaScript's heap for each
 */

/** Connections that are there before memory is measured, so that what is loaded with the first does not count. */
const FIRST_CONNECTIONS = 100

/**
 * One server process under one load.
 *
 * @param {Peer} peer
 * @param {MessageLoad | ConnectionLoad} load
 * @param {Cores | null} cores
 * @returns {Promise<Sample>}
 */
export async function measure(peer, load, cores) {
  return withServer(peer, load, cores, async (server, port) => {
    const client = startClient({ ...load, port, pid: server.pid }, cores)
    try {
      return /** @type {Sample} */ (parseJson(await client.line()))
    } finally {
      await client.end()
    }
  })
}

/**
 * What idle connections cost a server, after garbage collection.
 *
 * @param {Peer} peer
 * @param {ConnectionLoad} load
 * @param {Cores | null} cores
 * @returns {Promise<Memory>}
 */
export async function measureMemory(peer, load, cores) {
  return withServer(peer, load, cores, async (server, port) => {
    const clients = [startClient({ ...load, connections: FIRST_CONNECTIONS, port, pid: server.pid }, cores)]
    await clients[0]?.line()
    const before = await memoryOf(server)
    const client = startClient({ ...load, port, pid: server.pid }, cores)
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
 * Starts a server for the time of its use.
 *
 * @template Result
 * @param {Peer} peer
 * @param {MessageLoad | ConnectionLoad} load
 * @param {Cores | null} cores
 * @param {(server: Child, port: number) => Promise<Result>} use
 * @returns {Promise<Result>}
 */
export async function withServer(peer, load, cores, use) {
  const server = new Child(
    pinned([...commandOf(peer), ...serverOptions(load)], cores?.server),
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
 * The server's mode, and what only the floor needs to know.
 *
 * @param {MessageLoad | ConnectionLoad} load
 */
function serverOptions(load) {
  if (!('payload' in load)) return ['echo', '1', '1', 'text']
  const mode = `${load.compressed ? 'compressed-' : ''}${load.kind}`
  return [mode, String(load.payload), String(load.inFlight), load.binary ? 'binary' : 'text']
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
