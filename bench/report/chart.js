import { BarChart, CustomChart } from 'echarts/charts'
import { GridComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { CHART_PEERS, CHART_ROWS } from './chart-rows.js'
import { ratioTo } from './figures.js'
import { figure } from './format.js'

/** @typedef {import('../load/bench.js').LoadResults} LoadResults */
/** @typedef {import('./spread.js').Spread} Spread */
/** @typedef {{ label: string, color: string, ratio: Spread }} Bar */
/** @typedef {{ heading: string, bars: Bar[] }} Panel */

use([BarChart, CustomChart, GridComponent, TitleComponent, SVGRenderer])

const WIDTH = 900
const COLUMNS = 2
const COLUMN = WIDTH / COLUMNS
const TOP = 96
const PANEL = 176
const LABELS = 120
const BARS = COLUMN - LABELS - 76

/**
 * A chart of ratios to ws, as SVG: a panel for each row, each with its own scale that begins at zero.
 *
 * @param {LoadResults} results
 */
export function chart(results) {
  const panels = panelsOf(results)
  const height = TOP + Math.ceil(panels.length / COLUMNS) * PANEL
  // ECharts measures text and lays out without a DOM when it renders on a server.
  const canvas = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height })
  canvas.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    title: [titleOf(results), ...panels.map(headingOf)],
    grid: panels.map((_, index) => placeOf(index)),
    xAxis: panels.map(({ bars }, gridIndex) => ({
      gridIndex,
      type: 'value',
      min: 0,
      max: longest(bars),
      show: false,
    })),
    yAxis: panels.map(labelsOf),
    series: panels.flatMap((panel, index) => [barsOf(panel, index), spreadsOf(panel, index)]),
  })
  const svg = canvas.renderToSVGString()
  canvas.dispose()
  return `${svg}\n`
}

/**
 * @param {LoadResults} results
 * @returns {Panel[]}
 */
function panelsOf({ rows }) {
  return CHART_ROWS.flatMap(({ heading, title }) => {
    const row = rows.find((each) => each.title.startsWith(title))
    if (!row) return []
    const bars = CHART_PEERS.flatMap(({ name, label, color }) => {
      const ratio = ratioTo(row, name, 'ws')
      return ratio === null ? [] : [{ label, color, ratio }]
    })
    return [{ heading, bars }]
  })
}

/** @param {LoadResults} results */
function titleOf({ environment, options }) {
  const { date, processor, cores, node, versions } = environment
  const peers = `Node.js ${node}, ws ${versions.ws ?? '–'}, Bun ${versions.bun ?? '–'}`
  const rounds = options.rounds > 1 ? `medians of ${options.rounds} rounds` : 'one round'
  return {
    text: 'Messages for the same processor time, ws = 1',
    subtext: [
      `${date.slice(0, 10)}, ${processor}, ${cores} cores, ${peers}; ${rounds}`,
      'Longer is better. Each panel has its own scale; lines show the lowest and the highest round. Bare node:net has no WebSocket code.',
    ].join('\n'),
    left: 22,
    top: 16,
    textStyle: { fontSize: 19, color: '#0f172a' },
    subtextStyle: { fontSize: 12, color: '#64748b', lineHeight: 17 },
  }
}

/** @param {number} index */
function placeOf(index) {
  return {
    left: (index % COLUMNS) * COLUMN + LABELS,
    top: TOP + Math.floor(index / COLUMNS) * PANEL + 26,
    width: BARS,
    height: PANEL - 42,
  }
}

/**
 * @param {Panel} panel
 * @param {number} index
 */
function headingOf({ heading }, index) {
  const { left, top } = placeOf(index)
  return {
    text: heading,
    left: left - LABELS + 22,
    top: top - 28,
    textStyle: { fontSize: 14, color: '#0f172a' },
  }
}

/**
 * @param {Panel} panel
 * @param {number} gridIndex
 */
function labelsOf({ bars }, gridIndex) {
  return {
    gridIndex,
    type: 'category',
    inverse: true,
    data: bars.map(({ label }) => label),
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { fontSize: 12, color: '#334155', interval: 0 },
  }
}

/**
 * @param {Panel} panel
 * @param {number} index
 */
function barsOf({ bars }, index) {
  return {
    type: 'bar',
    xAxisIndex: index,
    yAxisIndex: index,
    barWidth: 13,
    data: bars.map(({ color, ratio }) => ({
      value: ratio.median,
      itemStyle: { color },
      label: {
        formatter: `${figure(ratio.median)}×`,
        offset: [widthOf(ratio.highest - ratio.median, bars), 0],
      },
    })),
    label: { show: true, position: 'right', fontSize: 12, color: '#334155' },
  }
}

/**
 * The pixels of a part of a bar, by which its label is moved behind the line that shows the spread.
 *
 * @param {number} part
 * @param {Bar[]} bars
 */
function widthOf(part, bars) {
  return (part / longest(bars)) * BARS
}

/** @param {Bar[]} bars */
function longest(bars) {
  return Math.max(...bars.map(({ ratio }) => ratio.highest))
}

/**
 * @param {Panel} panel
 * @param {number} index
 */
function spreadsOf({ bars }, index) {
  return {
    type: 'custom',
    xAxisIndex: index,
    yAxisIndex: index,
    encode: { x: [1, 2], y: 0 },
    data: bars.map(({ ratio }, position) => [position, ratio.lowest, ratio.highest]),
    z: 3,
    /**
     * @param {unknown} _parameters
     * @param {import('echarts').CustomSeriesRenderItemAPI} api
     */
    renderItem: (_parameters, api) => {
      const [x1 = 0, y = 0] = api.coord([api.value(1), api.value(0)])
      const [x2 = 0] = api.coord([api.value(2), api.value(0)])
      return { type: 'line', shape: { x1, x2, y1: y, y2: y }, style: { stroke: '#0f172a', lineWidth: 1.5 } }
    },
  }
}
