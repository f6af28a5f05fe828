import {
  isCompressed,
  isSecure,
  measure,
  measureConsumer,
  measureDelay,
  measureMemory,
  measurePaced,
  measureStorm,
} from './measure.js'
import { measureWithWsload } from './wsload.js'

/** @typedef {import('./grid.js').Row} Row */
/** @typedef {import('./peers.js').Peer} Peer */
/** @typedef {import('./pinning.js').Cores} Cores */

/**
 * What one round measures. A metric that the row does not have or the system does not show is missing or null.
 *
 * @typedef {Partial<import('./client/measurement.js').Sample & import('./measure.js').Memory & { longest: number | null }>} Sample
 */

/**
 * @typedef {object} PeerResult
 * @property {Sample[]} rounds in their order
 * @property {string} [error] why a round failed; the peer then has no figures
 */

/**
 * @typedef {object} RowResult
 * @property {string} section
 * @property {string} title
 * @property {object} load
 * @property {Record<string, PeerResult>} peers
 */

/**
 * @typedef {object} RunOptions
 * @property {number} rounds
 * @property {Cores | null} cores
 * @property {string} node
 * @property {string | undefined} wsload
 */

/**
 * Measures one row. In each round every peer gets a process of its own, and each round starts with another peer, so that
 * whatever else the machine does affects all of them alike.
 *
 * @param {Row} row
 * @param {Peer[]} peers
 * @param {RunOptions} options
 * @returns {Promise<RowResult>}
 */
export async function runRow(row, peers, options) {
  const able = peers.filter((peer) => (peer.compresses || !isCompressed(row.load)) && isWithin(row, peer))
  /** @type {Record<string, PeerResult>} */
  const results = Object.fromEntries(able.map((peer) => [peer.name, { rounds: [] }]))
  for (let round = 0; round < options.rounds; round++) {
    for (let turn = 0; turn < able.length; turn++) {
      const peer = able[(round + turn) % able.length]
      const result = peer && results[peer.name]
      if (!result || result.error !== undefined) continue
      try {
        result.rounds.push(await takeSample(peer, row, options))
      } catch (error) {
        result.error = error instanceof Error ? error.message : String(error)
      }
    }
  }
  return { section: row.section, title: row.title, load: row.load, peers: results }
}

/**
 * Some rows need more of a server than others.
 *
 * @param {Row} row
 * @param {Peer} peer
 */
function isWithin({ section }, { sections, engine }) {
  if (section === 'consumers') return engine !== undefined
  return sections === undefined || sections.includes(section)
}

/**
 * @param {Peer} peer
 * @param {Row} row
 * @param {RunOptions} options
 * @returns {Promise<Sample>}
 */
function takeSample(peer, { load }, { cores, node, wsload }) {
  const place = { cores, node }
  if (load.kind === 'idle') return measureMemory(peer, load, place)
  if (load.kind === 'paced') return measurePaced(peer, load, place)
  switch (load.kind) {
    case 'storm':
      return measureStorm(peer, load, place)
    case 'consumer':
      return measureConsumer(peer, load, place)
    case 'churn':
    case 'flood':
    case 'stream':
      return measureDelay(peer, load, place)
    case 'echo':
    case 'fan-out':
      return wsload === undefined || isSecure(load)
        ? measure(peer, load, place)
        : measureWithWsload(wsload, peer, load, place)
    case 'handshakes':
      return measure(peer, load, place)
  }
}
