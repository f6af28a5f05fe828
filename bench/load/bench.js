import { chart } from '../report/chart.js'
import { comparisons, loadPage, rowTable } from '../report/load-tables.js'
import { nodesPage, nodeTables } from '../report/node-tables.js'
import { writeResults } from '../results-files.js'
import { gridOf, isInNodesTable } from './grid.js'
import { nodeVersions, onEach } from './node-versions.js'
import { isInstalled, peersNamed } from './peers.js'
import { chooseCores } from './pinning.js'
import { runRow } from './run.js'

/** @typedef {import('../options.js').Options} Options */
/** @typedef {import('../environment.js').Environment} Environment */
/** @typedef {import('./run.js').RowResult} RowResult */

/**
 * @typedef {object} LoadResults
 * @property {Environment} environment
 * @property {Options} options
 * @property {import('./pinning.js').Cores | null} cores
 * @property {import('./node-versions.js').NodeVersion[]} nodes the versions that are compared; empty for one of them
 * @property {RowResult[]} rows
 */

/**
 * Measures the selected rows and prints each when it is finished.
 *
 * @param {Options} options
 * @param {Environment} environment
 * @returns {Promise<LoadResults>}
 */
export async function benchLoad(options, environment) {
  const cores = chooseCores(options.cores)
  const nodes = options.nodes ? nodeVersions() : []
  const installed = installedPeers(options)
  const peers = options.nodes ? onEach(installed, nodes) : installed
  const rows = []
  for (const row of gridOf(options).filter((each) => isSelected(each, options))) {
    const result = await runRow(row, peers, { ...options, cores })
    console.log(rowTable(result))
    rows.push(result)
  }
  const results = { environment, options, cores, nodes, rows }
  if (rows.length > 0) finish(results)
  return results
}

/** With several versions of Node.js only those that they are compared with, unless others are named. */
const PEERS_ON_NODES = ['hubwire', 'ws+bufferutil', 'bun', 'floor']

/** @param {Options} options */
function installedPeers({ peers: names, baseline, nodes }) {
  const peers = peersNamed(nodes && names.length === 0 ? PEERS_ON_NODES : names, baseline)
  const missing = peers.filter((peer) => !isInstalled(peer))
  if (missing.length > 0) console.log(`Not installed: ${missing.map((peer) => peer.name).join(', ')}\n`)
  return peers.filter(isInstalled)
}

/**
 * @param {import('./grid.js').Row} row
 * @param {Options} options
 */
function isSelected(row, options) {
  if (options.nodes && options.only.length === 0 && options.row === '') return isInNodesTable(row)
  return (options.only.length === 0 || options.only.includes(row.section)) && row.title.includes(options.row)
}

/** @param {LoadResults} results */
function finish(results) {
  const json = `${JSON.stringify(results, null, 2)}\n`
  if (results.options.nodes) {
    console.log(`${nodeTables(results.rows, results.nodes).join('\n\n')}\n`)
    writeResults('nodes', isComplete(results.options), { json, md: nodesPage(results) })
    return
  }
  console.log(`${comparisons(results.rows).join('\n\n')}\n`)
  writeResults('load', isComplete(results.options), {
    json,
    md: loadPage(results),
    svg: chart(results),
  })
}

/** @param {Options} options */
function isComplete({ quick, only, row, peers, node, baseline, wsload }) {
  const isPlain = node === process.execPath && baseline === undefined && wsload === undefined
  return isPlain && !quick && only.length === 0 && row === '' && peers.length === 0
}
