/** @typedef {import('./spread.js').Spread} Spread */

const NOTHING = '–'

/**
 * A figure with two significant digits: processor time is counted in ticks of 10 ms, and rounds differ by a few
 * percent.
 *
 * @param {number} value
 */
export function figure(value) {
  if (!Number.isFinite(value)) return NOTHING
  const rounded = Number(value.toPrecision(2))
  if (Math.abs(rounded) >= 10) return rounded.toLocaleString('en-US')
  return Math.abs(rounded) >= 1 || rounded === 0 ? rounded.toFixed(1) : rounded.toPrecision(2)
}

/**
 * The median with its spread, `5.4 (5.2–5.6)`, or the median alone if rounding leaves no spread.
 *
 * @param {Spread | null} spread
 */
export function withSpread(spread) {
  if (spread === null) return NOTHING
  const [median, lowest, highest] = [spread.median, spread.lowest, spread.highest].map(figure)
  return lowest === highest ? `${median}` : `${median} (${lowest}–${highest})`
}

/**
 * A ratio as a difference in percent, `+3 % (−1 to +5)`.
 *
 * @param {Spread | null} ratio
 */
export function asChange(ratio) {
  if (ratio === null) return NOTHING
  const [median, lowest, highest] = [ratio.median, ratio.lowest, ratio.highest].map(signedPercent)
  return lowest === highest ? `${median} %` : `${median} % (${lowest} to ${highest})`
}

/** @param {number} ratio */
function signedPercent(ratio) {
  const difference = Math.round((ratio - 1) * 100)
  return difference < 0 ? `−${-difference}` : `+${difference}`
}

/** @param {Spread | null} spread of shares between 0 and 1 */
export function percent(spread) {
  return spread === null ? NOTHING : `${Math.round(spread.median * 100)} %`
}

/**
 * @param {string[]} head
 * @param {string[][]} rows the first column is text, the others are numbers
 */
export function table(head, rows) {
  const lines = [head, ['---', ...head.slice(1).map(() => '---:')], ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
