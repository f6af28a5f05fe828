import { number, percent, ratio, table } from './format.js'
import { ratioTo } from './ratios.js'

/** @typedef {import('../load/run.js').RowResult} RowResult */
/** @typedef {import('../load/run.js').Figures} Figures */

/** What is counted, where it is not messages. */
const UNITS = new Map([
  ['fan-out', 'deliveries'],
  ['handshakes', 'handshakes'],
])

/**
 * One row of the grid: a table with a line for each peer.
 *
 * @param {RowResult} row
 */
export function rowTable(row) {
  return `### ${row.title}\n\n${row.section === 'idle' ? memoryTable(row) : speedTable(row)}\n`
}

/** @param {RowResult} row */
function speedTable(row) {
  const rate = `${UNITS.get(row.section) ?? 'messages'}/s`
  const head = [
    'peer',
    rate,
    'server µs each',
    '× ws',
    '× floor',
    'server busy',
    'client busy',
    'p50 µs',
    'p99 µs',
  ]
  const lines = peerLines(row, (figures, ratios) => [
    number(figures.perSecond),
    number(figures.cpu),
    ...ratios,
    percent(figures.serverBusy),
    percent(figures.clientBusy),
    number(figures.p50),
    number(figures.p99),
  ])
  return table(head, lines)
}

/** @param {RowResult} row */
function memoryTable(row) {
  const head = ['peer', 'resident octets each', 'heap octets each', '× ws', '× floor']
  const lines = peerLines(row, ({ rss, heap }, ratios) => [number(rss), number(heap), ...ratios])
  return table(head, lines)
}

/**
 * @param {RowResult} row
 * @param {(figures: Figures, ratios: string[]) => string[]} cells
 */
function peerLines(row, cells) {
  return Object.entries(row.peers).map(([name, { figures, error }]) => {
    if (!figures) return [name, `failed: ${error ?? ''}`]
    const ratios = ['ws', 'floor'].map((reference) => ratio(ratioTo(row, name, reference)))
    return [name, ...cells(figures, ratios)]
  })
}

/**
 * The ratios to ws of all rows on one page.
 *
 * @param {RowResult[]} rows
 */
export function summaryTable(rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.peers)))]
  const lines = rows.map((row) => {
    const title = row.section === 'idle' ? `${row.title} (memory: less is better)` : row.title
    return [title, ...names.map((name) => ratio(ratioTo(row, name, 'ws')))]
  })
  return table(['× ws', ...names], lines)
}
