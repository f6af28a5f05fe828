// Draws lines over the last minute, in SVG.

const NAMESPACE = 'http://www.w3.org/2000/svg'
const [WIDTH, HEIGHT] = [300, 96]

/**
 * @param {number[][]} series - of the same length, the newest value last
 * @param {string} label - the description for screen readers
 */
export function drawChart(series, label) {
  const most = niceCeiling(Math.max(1, ...series.flat()))
  const svg = shape('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' })
  svg.ariaLabel = label
  for (const share of [0.5, 1]) {
    const y = HEIGHT * (1 - share) + 1
    svg.append(shape('path', { class: 'grid', d: `M0 ${y}H${WIDTH}` }))
  }
  for (const [index, values] of series.entries()) {
    const points = values.map((value, at) => {
      const x = (at / Math.max(1, values.length - 1)) * WIDTH
      return `${x.toFixed(1)} ${(HEIGHT - 1 - (value / most) * (HEIGHT - 4)).toFixed(1)}`
    })
    if (index === 0) {
      svg.append(shape('path', { class: 'area', d: `M0 ${HEIGHT}L${points.join('L')}L${WIDTH} ${HEIGHT}Z` }))
    }
    svg.append(shape('path', { class: `line line-${index}`, d: `M${points.join('L')}` }))
  }
  return { svg, most }
}

/** Rounds up to 1, 2, 5, 10, 20, 50, … @param {number} value */
function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 5].find((factor) => factor * power >= value) ?? 10) * power
}

/** @param {'svg' | 'path'} name @param {Record<string, string>} attributes */
function shape(name, attributes) {
  const made = document.createElementNS(NAMESPACE, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  return made
}
