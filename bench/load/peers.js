import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const require = createRequire(import.meta.url)

/**
 * @typedef {object} Peer
 * @property {string} name as the tables show it
 * @property {string} server file name in servers/
 * @property {string[]} packages what must be installed
 * @property {boolean} compresses whether it implements permessage-deflate
 * @property {Record<string, string>} [environment]
 * @property {'node' | 'bun'} runtime
 * @property {readonly import('./grid.js').Section[]} [sections] the only ones that its server is written for
 * @property {import('../consumers/install.js').Engine} [engine] the engine of packages that were written for ws
 * @property {string} [node] the Node.js executable, if it is not that of all peers
 */

/** @type {Peer} */
const HUBWIRE = {
  name: 'hubwire',
  server: 'hubwire.js',
  packages: ['hubwire'],
  compresses: true,
  runtime: 'node',
}

/** @type {readonly Peer[]} */
const PEERS = [
  HUBWIRE,
  {
    name: 'ws',
    server: 'ws.js',
    packages: ['ws'],
    compresses: true,
    runtime: 'node',
    environment: { WS_NO_BUFFER_UTIL: '1' },
    engine: 'ws',
  },
  {
    name: 'ws+bufferutil',
    server: 'ws.js',
    packages: ['ws', 'bufferutil'],
    compresses: true,
    runtime: 'node',
    // Micro benchmarks set it in this process.
    environment: { WS_NO_BUFFER_UTIL: '' },
  },
  {
    name: 'websocket',
    server: 'websocket.js',
    packages: ['websocket'],
    compresses: false,
    runtime: 'node',
    sections: ['echo', 'fan-out', 'handshakes', 'idle'],
  },
  { name: 'bun', server: 'bun.js', packages: ['bun'], compresses: true, runtime: 'bun' },
  {
    name: 'floor',
    server: 'floor.js',
    packages: [],
    compresses: true,
    runtime: 'node',
    sections: ['echo', 'fan-out', 'compressed', 'handshakes', 'idle', 'tls', 'tails'],
  },
  {
    name: 'hubwire/ws',
    server: 'consumers.js',
    packages: ['hubwire'],
    compresses: true,
    runtime: 'node',
    sections: ['consumers'],
    engine: 'hubwire',
  },
]

/**
 * The peers of these names, in the order of the tables; all of them if there are no names.
 *
 * @param {string[]} names
 * @param {string} [baseline] a directory with another build of hubwire
 * @returns {Peer[]}
 */
export function peersNamed(names, baseline) {
  const all = baseline === undefined ? [...PEERS] : [HUBWIRE, baselinePeer(baseline), ...PEERS.slice(1)]
  const unknown = names.filter((name) => !all.some((peer) => peer.name === name))
  if (unknown.length > 0) {
    throw new Error(`no such peer: ${unknown.join(', ')} (known: ${all.map((peer) => peer.name).join(', ')})`)
  }
  return names.length === 0 ? all : all.filter((peer) => names.includes(peer.name))
}

/**
 * @param {string} directory
 * @returns {Peer}
 */
function baselinePeer(directory) {
  const module = pathToFileURL(join(directory, 'dist', 'index.js')).href
  return { ...HUBWIRE, name: 'baseline', environment: { HUBWIRE_BENCH_MODULE: module } }
}

/**
 * The directory of a package, or null if it is not installed.
 *
 * @param {string} name
 */
export function directoryOf(name) {
  if (name === 'hubwire') return join(import.meta.dirname, '../..')
  try {
    return dirname(require.resolve(`${name}/package.json`))
  } catch {
    return null
  }
}

/** @param {Peer} peer */
export function isInstalled(peer) {
  return peer.packages.every((name) => directoryOf(name) !== null)
}

/**
 * The program that runs the peer's server, with its first arguments.
 *
 * @param {Peer} peer
 * @param {string} node the executable
 * @param {string} [server] another file in servers/ than the peer's
 * @returns {[string, ...string[]]}
 */
export function commandOf(peer, node, server = peer.server) {
  const file = join(import.meta.dirname, 'servers', server)
  if (peer.runtime === 'node') return [peer.node ?? node, '--expose-gc', file]
  return [join(directoryOf('bun') ?? '', 'bin', 'bun.exe'), file]
}
