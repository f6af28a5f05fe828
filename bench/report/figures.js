import { spreadOf } from './spread.js'

/** @typedef {import('../load/run.js').RowResult} RowResult */
/** @typedef {import('../load/run.js').Sample} Sample */
/** @typedef {import('./spread.js').Spread} Spread */

/**
 * One metric of one peer over all rounds.
 *
 * @param {RowResult} row
 * @param {string} peer
 * @param {keyof Sample} metric
 * @returns {Spread | null} null if the peer failed, is not in the row, or has no such metric
 */
export function figureOf(row, peer, metric) {
  return spreadOf(roundsOf(row, peer).map((sample) => sample[metric]))
}

/**
 * The cost of a message in microseconds of processor time or, in rows about memory, of a connection in KiB.
 *
 * @param {RowResult} row
 * @param {string} peer
 * @returns {Spread | null}
 */
export function costOf(row, peer) {
  if (row.section !== 'idle') return figureOf(row, peer, 'cpu')
  return spreadOf(roundsOf(row, peer).map(({ rss }) => (typeof rss === 'number' ? rss / 1024 : null)))
}

/**
 * How many times as good as a reference a peer is: messages for the same processor time of the server. In rows about
 * memory or delays it is the peer's figure divided by that of the reference, and less is better.
 *
 * Processor time gives the same ratio as messages per second if the server is the bottleneck, and remains right if the
 * client or the round trip is. Without it (it comes from /proc) messages per second are compared. Samples are compared
 * with those of the same round, which were taken one after the other.
 *
 * @param {RowResult} row
 * @param {string} peer
 * @param {string} reference
 * @returns {Spread | null}
 */
export function ratioTo(row, peer, reference) {
  const theirs = roundsOf(row, reference)
  return spreadOf(roundsOf(row, peer).map((sample, round) => ratio(row.section, sample, theirs[round])))
}

/**
 * @param {string} section
 * @param {Sample} one
 * @param {Sample | undefined} other
 */
function ratio(section, one, other) {
  if (section === 'idle') return quotient(one.rss, other?.rss)
  if (section === 'delays') return quotient(one.longest, other?.longest)
  return quotient(other?.cpu, one.cpu) ?? quotient(one.perSecond, other?.perSecond)
}

/**
 * @param {number | null | undefined} above
 * @param {number | null | undefined} below
 */
function quotient(above, below) {
  return typeof above === 'number' && typeof below === 'number' && below !== 0 ? above / below : null
}

/**
 * @param {RowResult} row
 * @param {string} peer
 * @returns {Sample[]}
 */
function roundsOf(row, peer) {
  const result = row.peers[peer]
  return result === undefined || result.error !== undefined ? [] : result.rounds
}
