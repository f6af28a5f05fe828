import { environmentLine } from '../environment.js'
import { costOf, figureOf, ratioTo } from './figures.js'
import { asChange, percent, table, withSpread } from './format.js'

/** @typedef {import('../load/bench.js').LoadResults} LoadResults */
/** @typedef {import('../load/run.js').RowResult} RowResult */

/** What is counted, where it is not messages. */
const UNITS = new Map([
  ['fan-out', 'deliveries'],
  ['handshakes', 'handshakes'],
])

const REFERENCES = ['ws', 'floor', 'baseline']

/**
 * One row of the grid as a table with a line for each peer: what the terminal shows during a run.
 *
 * @param {RowResult} row
 */
export function rowTable(row) {
  return `### ${row.title}\n\n${tableFor(row)}\n`
}

/** @param {RowResult} row */
function tableFor(row) {
  if (row.section === 'idle') return memoryTable(row)
  return row.section === 'delays' ? delayTable(row) : speedTable(row)
}

/** @param {RowResult} row */
function speedTable(row) {
  const rate = `${UNITS.get(row.section) ?? 'messages'}/s`
  const head = ['server µs each', 'server busy', 'client busy', 'p50 µs', 'p99 µs', 'p99.9 µs']
  return peerTable(row, [rate, ...head], (peer) => [
    withSpread(figureOf(row, peer, 'perSecond')),
    withSpread(figureOf(row, peer, 'cpu')),
    percent(figureOf(row, peer, 'serverBusy')),
    percent(figureOf(row, peer, 'clientBusy')),
    withSpread(figureOf(row, peer, 'p50')),
    withSpread(figureOf(row, peer, 'p99')),
    withSpread(figureOf(row, peer, 'p999')),
  ])
}

/** @param {RowResult} row */
function delayTable(row) {
  return peerTable(row, ['longest delay, ms'], (peer) => [withSpread(figureOf(row, peer, 'longest'))])
}

/** @param {RowResult} row */
function memoryTable(row) {
  return peerTable(row, ['resident bytes each', 'heap bytes each'], (peer) => [
    withSpread(figureOf(row, peer, 'rss')),
    withSpread(figureOf(row, peer, 'heap')),
  ])
}

/**
 * @param {RowResult} row
 * @param {string[]} head
 * @param {(peer: string) => string[]} cellsOf
 */
function peerTable(row, head, cellsOf) {
  const references = REFERENCES.filter((name) => name in row.peers)
  const lines = Object.entries(row.peers).map(([peer, { error }]) => {
    if (error !== undefined) return [peer, `failed: ${error}`]
    return [peer, ...references.map((name) => withSpread(ratioTo(row, peer, name))), ...cellsOf(peer)]
  })
  return table(['peer', ...references.map((name) => `× ${name}`), ...head], lines)
}

/**
 * The whole results on one page: a table for each question, with a line for each row of the grid.
 *
 * @param {LoadResults} results
 */
export function loadPage({ environment, options, rows }) {
  const generator = options.wsload === undefined ? '' : '; load by wsload'
  const spread = 'medians, with the lowest and the highest in parentheses'
  const rounds = options.rounds > 1 ? `${options.rounds} interleaved rounds: ${spread}` : 'One round'
  const ofSections = (/** @type {string[]} */ ...sections) =>
    rows.filter(({ section }) => sections.includes(section))
  const timed = ofSections('echo', 'fan-out', 'compressed', 'tls')
  const tails = ofSections('tails')
  const delays = ofSections('delays')
  const consumers = ofSections('consumers')
  const costed = rows.filter(({ section }) => !['tails', 'delays', 'consumers'].includes(section))
  const sections = [
    '# Whole servers side by side',
    `${environmentLine(environment)}${generator}`,
    `${rounds}. Two significant digits.`,
    ...comparisons(costed),
    '## Processor time of the server per message in µs, memory per idle connection in KiB',
    gridTable(costed, (row, peer) => withSpread(costOf(row, peer))),
    ...(timed.length === 0 ? [] : ['## Round trip of a batch in µs, 99th percentile', roundTripTable(timed)]),
    ...(consumers.length === 0 ? [] : consumerTables(consumers)),
    ...(tails.length === 0 ? [] : tailTables(tails)),
    ...(delays.length === 0
      ? []
      : [
          '## Longest delay of the event loop in ms',
          gridTable(delays, (row, peer) => withSpread(figureOf(row, peer, 'longest'))),
        ]),
  ]
  return `${sections.join('\n\n')}\n`
}

/**
 * hubwire compared with the baseline, if there is one, and all peers compared with ws.
 *
 * @param {RowResult[]} rows
 */
export function comparisons(rows) {
  const isMeasured = (/** @type {string} */ peer) => peersIn(rows).includes(peer)
  return [
    ...(isMeasured('baseline')
      ? [
          '## Messages for the same processor time of the server: hubwire compared with the baseline',
          changeTable(rows),
        ]
      : []),
    ...(isMeasured('ws')
      ? [
          '## Messages for the same processor time of the server, in multiples of those of ws',
          ratioTable(rows),
        ]
      : []),
  ]
}

/** @param {RowResult[]} rows */
function changeTable(rows) {
  return gridTable(rows, (row, peer) => asChange(ratioTo(row, peer, 'baseline')), ['hubwire'])
}

/** @param {RowResult[]} rows */
function ratioTable(rows) {
  const others = peersIn(rows).filter((peer) => peer !== 'ws')
  return gridTable(rows, (row, peer) => withSpread(ratioTo(row, peer, 'ws')), others)
}

/**
 * Each peer at half of its own saturating load: a slower peer has fewer messages to answer.
 *
 * @param {RowResult[]} rows
 */
function tailTables(rows) {
  const metrics = /** @type {const} */ ([
    ['perSecond', 'messages/s'],
    ['p50', 'p50 µs'],
    ['p99', 'p99 µs'],
    ['p999', 'p99.9 µs'],
  ])
  return rows.flatMap((row) => {
    const peers = Object.keys(row.peers)
    const lines = peers.map((peer) => [
      peer,
      ...metrics.map(([metric]) => withSpread(figureOf(row, peer, metric))),
    ])
    return [`## ${row.title}`, table(['', ...metrics.map(([, title]) => title)], lines)]
  })
}

/** @param {RowResult[]} rows */
function consumerTables(rows) {
  return [
    '## Packages written for ws: messages for the same processor time of the server, in multiples of those on ws',
    gridTable(rows, (row, peer) => withSpread(ratioTo(row, peer, 'ws')), ['hubwire/ws']),
    '## The same: processor time of the server per message in µs',
    gridTable(rows, (row, peer) => withSpread(costOf(row, peer)), ['hubwire/ws', 'ws']),
  ]
}

/** @param {RowResult[]} rows */
function roundTripTable(rows) {
  return gridTable(rows, (row, peer) => withSpread(figureOf(row, peer, 'p99')))
}

/**
 * @param {RowResult[]} rows
 * @param {(row: RowResult, peer: string) => string} cellOf
 * @param {string[]} [peers]
 */
function gridTable(rows, cellOf, peers = peersIn(rows)) {
  const lines = rows.map((row) => [
    row.section === 'idle' ? `${row.title} (memory: less is better)` : row.title,
    ...peers.map((peer) => cellOf(row, peer)),
  ])
  return table(['', ...peers], lines)
}

/** @param {RowResult[]} rows */
function peersIn(rows) {
  return [...new Set(rows.flatMap((row) => Object.keys(row.peers)))]
}
