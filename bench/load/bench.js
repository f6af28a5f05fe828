import { chart } from '../report/chart.js'
import { comparisons, loadPage, rowTable } from '../report/load-tables.js'
import { writeResults } from '../results-files.js'
import { gridOf } from './grid.js'
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
  const peers = installedPeers(options)
  const rows = []
  for (const row of gridOf(options).filter((each) => isSelected(each, options))) {
    const result = await runRow(row, peers, { ...options, cores })
    console.log(rowTable(result))
    rows.push(result)
  }
  const results = { environment, options, cores, rows }
  if (rows.length > 0) finish(results)
  return results
}

/** @param {Options} options */
function installedPeers({ peers: names, baseline }) {
  const peers = peersNamed(names, baseline)
  const missing = peers.filter((peer) => !isInstalled(peer))
  if (missing.length > 0) console.log(`Not installed: ${missing.map((peer) => peer.name).join(', ')}\n`)
  return peers.filter(isInstalled)
}

/**
 * @param {import('./grid.js').Row} row
 * @param {Options} options
 */
function isSelected(row, options) {
  return (options.only.length === 0 || options.only.includes(row.section)) && row.title.includes(options.row)
}

/** @param {LoadResults} results */
function finish(results) {
  console.log(`${comparisons(results.rows).join('\n\n')}\n`)
  writeResults('load', isComplete(results.options), {
    json: `${JSON.stringify(results, null, 2)}\n`,
    md: loadPage(results),
    svg: chart(results),
  })
}

/** @param {Options} options */
function isComplete({ quick, only, row, peers, node, baseline, wsload }) {
  const isPlain = node === process.execPath && baseline === undefined && wsload === undefined
  return isPlain && !quick && only.length === 0 && row === '' && peers.length === 0
}
