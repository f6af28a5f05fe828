/**
 * What several measurements of the same figure have in common, and how far they differ.
 *
 * @typedef {object} Spread
 * @property {number} median
 * @property {number} lowest
 * @property {number} highest
 */

/**
 * The median of the measurements, with the lowest and the highest of them.
 *
 * @param {readonly (number | null | undefined)[]} measurements null or undefined where there is no figure
 * @returns {Spread | null} null if no measurement has a figure
 */
export function spreadOf(measurements) {
  const sorted = sort(measurements)
  const lowest = sorted[0]
  const highest = sorted.at(-1)
  if (lowest === undefined || highest === undefined) return null
  return { median: quantile(sorted, 0.5), lowest, highest }
}

/**
 * The median of many measurements, with the quartiles: the extremes of thousands of samples are outliers.
 *
 * @param {readonly number[]} measurements
 * @returns {Spread | null}
 */
export function quartilesOf(measurements) {
  const sorted = sort(measurements)
  if (sorted.length === 0) return null
  return { median: quantile(sorted, 0.5), lowest: quantile(sorted, 0.25), highest: quantile(sorted, 0.75) }
}

/** @param {readonly (number | null | undefined)[]} measurements */
function sort(measurements) {
  return Float64Array.from(measurements.filter((value) => typeof value === 'number')).sort()
}

/**
 * Interpolates between the two nearest measurements.
 *
 * @param {Float64Array} sorted not empty
 * @param {number} share
 */
function quantile(sorted, share) {
  const position = share * (sorted.length - 1)
  const below = sorted[Math.floor(position)] ?? 0
  const above = sorted[Math.ceil(position)] ?? 0
  return below + (above - below) * (position - Math.floor(position))
}
