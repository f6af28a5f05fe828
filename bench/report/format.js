/**
 * A number as it is read most easily: thousands separated, three significant digits below a hundred.
 *
 * @param {number | null | undefined} value
 */
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return value.toPrecision(3)
}

/** @param {number | null | undefined} value */
export function ratio(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** @param {number | null | undefined} value */
export function percent(value) {
  return value === null || value === undefined ? '–' : `${Math.round(value * 100)} %`
}

/**
 * @param {string[]} head
 * @param {string[][]} rows the first column is text, the others are numbers
 */
export function table(head, rows) {
  const lines = [head, ['---', ...head.slice(1).map(() => '---:')], ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
