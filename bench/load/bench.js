import { environmentLine } from '../environment.js'
import { chart } from '../report/chart.js'
import { rowTable, summaryTable } from '../report/load-tables.js'
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
 * All rows that are asked for, printed one by one as they are finished.
 *
 * @param {Options} options
 * @param {Environment} environment
 * @returns {Promise<LoadResults>}
 */
export async function benchLoad(options, environment) {
  const cores = chooseCores(options.cores)
  const peers = installedPeers(options.peers)
  const rows = []
  for (const row of gridOf(options).filter((each) => isAskedFor(each, options))) {
    const result = await runRow(row, peers, { ...options, cores })
    console.log(rowTable(result))
    rows.push(result)
  }
  const results = { environment, options, cores, rows }
  if (rows.length > 0) finish(results)
  return results
}

/** @param {string[]} names */
function installedPeers(names) {
  const peers = peersNamed(names)
  const missing = peers.filter((peer) => !isInstalled(peer))
  if (missing.length > 0) console.log(`Not installed: ${missing.map((peer) => peer.name).join(', ')}\n`)
  return peers.filter(isInstalled)
}

/**
 * @param {import('./grid.js').Row} row
 * @param {Options} options
 */
function isAskedFor(row, options) {
  return (options.only.length === 0 || options.only.includes(row.section)) && row.title.includes(options.row)
}

/** @param {LoadResults} results */
function finish(results) {
  const { environment, options, rows } = results
  const summary = summaryTable(rows)
  console.log(`${summary}\n`)
  const load = options.wsload === undefined ? '' : ' (load by wsload)'
  const page = [
    '# Whole servers side by side',
    environmentLine(environment) + load,
    summary,
    ...rows.map(rowTable),
  ]
  const json = JSON.stringify(results, null, 2)
  writeResults('load', isWhole(options), { json: `${json}\n`, md: page.join('\n\n'), svg: chart(results) })
}

/** @param {Options} options */
function isWhole({ quick, only, row, peers, wsload }) {
  return !quick && only.length === 0 && row === '' && peers.length === 0 && wsload === undefined
}
