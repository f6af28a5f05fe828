import { environmentLine } from '../environment.js'
import { nameOn } from '../load/node-versions.js'
import { costOf, ratioTo } from './figures.js'
import { table, withSpread } from './format.js'

/** @typedef {import('../load/run.js').RowResult} RowResult */
/** @typedef {import('../load/node-versions.js').NodeVersion} NodeVersion */

/** What hubwire is compared with, each on the same version of Node.js. */
const REFERENCES = [
  { name: 'ws+bufferutil', title: '`ws` with `bufferutil`' },
  { name: 'bun', title: 'Bun' },
  { name: 'floor', title: 'a bare `node:net` server' },
]

/**
 * hubwire on several versions of Node.js, a column for each.
 *
 * @param {object} results
 * @param {import('../environment.js').Environment} results.environment
 * @param {{ rounds: number }} results.options
 * @param {NodeVersion[]} results.nodes
 * @param {RowResult[]} results.rows
 */
export function nodesPage({ environment, options, nodes, rows }) {
  const sections = [
    '# Every version of Node.js',
    `${environmentLine(environment)}; Node.js ${nodes.map(({ version }) => version).join(', ')}`,
    `${options.rounds} interleaved rounds: medians, with the lowest and the highest in parentheses.`,
    ...nodeTables(rows, nodes),
  ]
  return `${sections.join('\n\n')}\n`
}

/**
 * @param {RowResult[]} rows
 * @param {NodeVersion[]} nodes
 */
export function nodeTables(rows, nodes) {
  const measured = REFERENCES.filter(({ name }) =>
    rows.some(({ peers }) => nodes.some((node) => nameOn(name, node) in peers)),
  )
  return [
    ...measured.flatMap(({ name, title }) => [
      `## Messages for the same processor time of the server, in multiples of those of ${title}`,
      versionTable(rows, nodes, (row, node) => ratioTo(row, nameOn('hubwire', node), nameOn(name, node))),
    ]),
    '## Processor time of the server per message in µs, memory per connection in KiB: hubwire',
    versionTable(rows, nodes, (row, node) => costOf(row, nameOn('hubwire', node))),
  ]
}

/**
 * @param {RowResult[]} rows
 * @param {NodeVersion[]} nodes
 * @param {(row: RowResult, node: NodeVersion) => import('./spread.js').Spread | null} figureOf
 */
function versionTable(rows, nodes, figureOf) {
  const lines = rows.map((row) => [
    row.section === 'idle' ? `${row.title} (memory: less is better)` : row.title,
    ...nodes.map((node) => withSpread(figureOf(row, node))),
  ])
  return table(['', ...nodes.map(({ name }) => `Node.js ${name}`)], lines)
}
