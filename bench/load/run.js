import { median } from '../median.js'
import { measure, measureMemory } from './measure.js'
import { measureWithWsload } from './wsload.js'

/** @typedef {import('./grid.js').Row} Row */
/** @typedef {import('./peers.js').Peer} Peer */
/** @typedef {import('./pinning.js').Cores} Cores */

/**
 * Medians of the rounds. A metric that a row does not have, or that the system cannot show, is null.
 *
 * @typedef {object} Figures
 * @property {number | null} perSecond
 * @property {number | null} cpu microseconds of the server's processor time for each message
 * @property {number | null} serverBusy
 * @property {number | null} clientBusy
 * @property {number | null} p50 microseconds
 * @property {number | null} p99
 * @property {number | null} rss octets of resident memory for each connection
 * @property {number | null} heap
 */

/**
 * @typedef {object} PeerResult
 * @property {Figures | null} figures null when the peer failed
 * @property {object[]} rounds every sample, in the order of the rounds
 * @property {string} [error] why there are no figures
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
 * @property {string | undefined} wsload
 */

/**
 * One row of the tables: in every round each peer has its turn with a process of its own, and in every round another
 * one begins, so that whatever else the machine does meets all of them alike.
 *
 * @param {Row} row
 * @param {Peer[]} peers
 * @param {RunOptions} options
 * @returns {Promise<RowResult>}
 */
export async function runRow(row, peers, options) {
  const able = peers.filter((peer) => row.section !== 'compressed' || peer.compresses)
  /** @type {Record<string, { rounds: object[], error?: string }>} */
  const taken = Object.fromEntries(able.map((peer) => [peer.name, { rounds: [] }]))
  for (let round = 0; round < options.rounds; round++) {
    for (let turn = 0; turn < able.length; turn++) {
      const peer = able[(round + turn) % able.length]
      const result = peer && taken[peer.name]
      if (!result || result.error !== undefined) continue
      try {
        result.rounds.push(await takeSample(peer, row, options))
      } catch (error) {
        result.error = error instanceof Error ? error.message : String(error)
      }
    }
  }
  return {
    section: row.section,
    title: row.title,
    load: row.load,
    peers: Object.fromEntries(
      Object.entries(taken).map(([name, result]) => [name, { ...result, figures: mediansOf(result) }]),
    ),
  }
}

/**
 * @param {Peer} peer
 * @param {Row} row
 * @param {RunOptions} options
 * @returns {Promise<object>}
 */
function takeSample(peer, { load }, { cores, wsload }) {
  if (load.kind === 'idle') return measureMemory(peer, load, cores)
  if (wsload !== undefined && 'payload' in load) return measureWithWsload(wsload, peer, load, cores)
  return measure(peer, load, cores)
}

/**
 * @param {{ rounds: object[], error?: string }} result
 * @returns {Figures | null}
 */
function mediansOf({ rounds, error }) {
  if (error !== undefined) return null
  const samples = /** @type {Partial<Record<keyof Figures, number | null>>[]} */ (rounds)
  const metric = (/** @type {keyof Figures} */ name) =>
    median(samples.map((sample) => sample[name]).filter((value) => typeof value === 'number'))
  return {
    perSecond: metric('perSecond'),
    cpu: metric('cpu'),
    serverBusy: metric('serverBusy'),
    clientBusy: metric('clientBusy'),
    p50: metric('p50'),
    p99: metric('p99'),
    rss: metric('rss'),
    heap: metric('heap'),
  }
}
