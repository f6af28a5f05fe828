import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)

/**
 * @typedef {object} Peer
 * @property {string} name as the tables show it
 * @property {string} server file name in servers/
 * @property {string[]} packages what must be installed, the first being the one whose version is shown
 * @property {boolean} compresses whether it knows permessage-deflate
 * @property {Record<string, string>} [environment]
 * @property {'node' | 'bun'} runtime
 */

/** @type {readonly Peer[]} */
export const PEERS = [
  { name: 'hubwire', server: 'hubwire.js', packages: ['hubwire'], compresses: true, runtime: 'node' },
  {
    name: 'ws',
    server: 'ws.js',
    packages: ['ws'],
    compresses: true,
    runtime: 'node',
    environment: { WS_NO_BUFFER_UTIL: '1' },
  },
  {
    name: 'ws+bufferutil',
    server: 'ws.js',
    packages: ['ws', 'bufferutil'],
    compresses: true,
    runtime: 'node',
    // It is set in this process once the functions have been measured.
    environment: { WS_NO_BUFFER_UTIL: '' },
  },
  { name: 'websocket', server: 'websocket.js', packages: ['websocket'], compresses: false, runtime: 'node' },
  { name: 'bun', server: 'bun.js', packages: ['bun'], compresses: true, runtime: 'bun' },
  { name: 'floor', server: 'floor.js', packages: [], compresses: true, runtime: 'node' },
]

/**
 * The peers of these names, in the order of the tables; all when none is named.
 *
 * @param {string[]} names
 */
export function peersNamed(names) {
  const unknown = names.filter((name) => !PEERS.some((peer) => peer.name === name))
  if (unknown.length > 0) {
    throw new Error(
      `no such peer: ${unknown.join(', ')} (known: ${PEERS.map((peer) => peer.name).join(', ')})`,
    )
  }
  return names.length === 0 ? [...PEERS] : PEERS.filter((peer) => names.includes(peer.name))
}

/**
 * The package's directory, or null when it is not installed.
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
 * @returns {[string, ...string[]]}
 */
export function commandOf(peer) {
  const file = join(import.meta.dirname, 'servers', peer.server)
  if (peer.runtime === 'node') return [process.execPath, '--expose-gc', file]
  return [join(directoryOf('bun') ?? '', 'bin', 'bun.exe'), file]
}
