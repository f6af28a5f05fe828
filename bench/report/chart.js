import { CHART_PEERS, CHART_ROWS } from './chart-rows.js'
import { ratio } from './format.js'
import { ratioTo } from './ratios.js'

/** @typedef {import('../load/bench.js').LoadResults} LoadResults */
/** @typedef {{ label: string, fill: string, value: number }} Bar */
/** @typedef {{ heading: string, bars: Bar[] }} Panel */

const WIDTH = 900
const MARGIN = 28
const TOP = 104
const COLUMNS = 2
const GUTTER = 36
const PANEL = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GUTTER) / COLUMNS
const LABELS = 112
const VALUES = 48
const BAR = 14
const STEP = 20
const HEADING = 26
const BELOW = 22

/**
 * A chart of ratios to ws, as SVG: one panel for each row, each with a scale of its own that begins at zero.
 *
 * @param {LoadResults} results
 */
export function chart(results) {
  const panels = panelsOf(results)
  const rows = Math.max(0, ...panels.map((panel) => panel.bars.length))
  const height = HEADING + rows * STEP + BELOW
  const total = TOP + Math.ceil(panels.length / COLUMNS) * height + 8
  const drawn = panels.map((panel, index) => {
    const x = MARGIN + (index % COLUMNS) * (PANEL + GUTTER)
    return drawPanel(panel, x, TOP + Math.floor(index / COLUMNS) * height)
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${total}" width="${WIDTH}" height="${total}" ` +
      `font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" role="img">`,
    '<title>Work done by hubwire and its peers with the same processor time, relative to ws</title>',
    '<defs><pattern id="hatched" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">' +
      '<rect width="5" height="5" fill="#f1f5f9"/><rect width="1.5" height="5" fill="#94a3b8"/></pattern></defs>',
    `<rect width="${WIDTH}" height="${total}" rx="8" fill="#ffffff"/>`,
    text(
      MARGIN,
      38,
      'Messages for the same processor time, ws = 1',
      'font-size="19" font-weight="600" fill="#0f172a"',
    ),
    ...captions(results).map((line, index) =>
      text(MARGIN, 60 + index * 18, line, 'font-size="12.5" fill="#64748b"'),
    ),
    ...drawn,
    '</svg>',
    '',
  ].join('\n')
}

/** @param {LoadResults} results */
function captions({ environment, options }) {
  const { date, processor, cores, node, versions } = environment
  const peers = `Node.js ${node}, ws ${versions.ws ?? '–'}, Bun ${versions.bun ?? '–'}`
  return [
    `${date.slice(0, 10)}, ${processor}, ${cores} cores, ${peers}; ${options.rounds > 1 ? `medians of ${options.rounds} rounds` : 'one round'}`,
    'Longer is better. Each panel has its own scale. Hatched: sockets that answer prepared octets, with no library.',
  ]
}

/**
 * @param {LoadResults} results
 * @returns {Panel[]}
 */
function panelsOf({ rows }) {
  return CHART_ROWS.flatMap(({ heading, title }) => {
    const row = rows.find((each) => each.title.startsWith(title))
    if (!row) return []
    const bars = CHART_PEERS.flatMap(({ name, label, fill }) => {
      const value = ratioTo(row, name, 'ws')
      return value === null ? [] : [{ label, fill, value }]
    })
    return [{ heading, bars }]
  })
}

/**
 * @param {Panel} panel
 * @param {number} x
 * @param {number} y
 */
function drawPanel({ heading, bars }, x, y) {
  const longest = Math.max(...bars.map((bar) => bar.value))
  const room = PANEL - LABELS - VALUES
  const drawn = bars.map(({ label, fill, value }, index) => {
    const top = y + HEADING + index * STEP
    const length = Math.max(1, (value / longest) * room)
    const weight = label === 'hubwire' ? 'font-weight="600" fill="#1d4ed8"' : 'fill="#334155"'
    return [
      text(x + LABELS - 8, top + 11, label, `font-size="12.5" text-anchor="end" ${weight}`),
      `<rect x="${x + LABELS}" y="${top}" width="${length.toFixed(1)}" height="${BAR}" rx="2" fill="${fill}"/>`,
      text(x + LABELS + length + 6, top + 11, `${ratio(value)}×`, `font-size="12.5" ${weight}`),
    ].join('\n')
  })
  return [text(x, y + 12, heading, 'font-size="14" font-weight="600" fill="#0f172a"'), ...drawn].join('\n')
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} content
 * @param {string} attributes
 */
function text(x, y, content, attributes) {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${escaped}</text>`
}
