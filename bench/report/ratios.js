/** @typedef {import('../load/run.js').RowResult} RowResult */
/** @typedef {import('../load/run.js').Figures} Figures */

/**
 * How many times as good as another one a peer is: messages for each second of the server's processor time or, for idle
 * connections, resident memory. Processor time says the same as messages a second when the server is the bottleneck,
 * and stays right when the client or the round trip is. Without it (it comes from /proc) messages a second are compared.
 *
 * @param {RowResult} row
 * @param {string} name
 * @param {string} reference
 * @returns {number | null}
 */
export function ratioTo(row, name, reference) {
  const one = row.peers[name]?.figures
  const other = row.peers[reference]?.figures
  if (!one || !other) return null
  if (row.section === 'idle') return quotient(one.rss, other.rss)
  return quotient(other.cpu, one.cpu) ?? quotient(one.perSecond, other.perSecond)
}

/**
 * @param {number | null} above
 * @param {number | null} below
 */
function quotient(above, below) {
  return above === null || below === null || below === 0 ? null : above / below
}
