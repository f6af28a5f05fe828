// The page of statistics. It draws the sums of all processes anew when the sample of the next second arrives.
import { ReconnectingWebSocket } from '/hubwire/index.js'
import { drawChart } from './chart.js'
import { showStateOf } from './connection-state.js'
import { element, make } from './element.js'
import { Totals } from './totals.js'

/** @typedef {import('./totals.js').Counts} Counts */

/** @type {{ title: string, about: string, names: (keyof Counts)[], legend?: string[] }[]} */
const charts = [
  { title: 'Connections', about: 'open now', names: ['connections'] },
  {
    title: 'Messages a second',
    about: 'sent / received',
    names: ['sent', 'received'],
    legend: ['sent', 'received'],
  },
  { title: 'Rooms', about: 'groups with members', names: ['rooms'] },
  { title: 'Slow members', about: 'more than 64 KiB wait for them', names: ['slow'] },
]

const totals = new Totals()
const board = element('charts', HTMLElement)
const sums = element('totals', HTMLElement)
const processes = element('processes', HTMLElement)

const numbers = new Intl.NumberFormat('en')
/** @param {number} value */
const format = (value) => numbers.format(value)

const cards = charts.map(({ title, about, names, legend }) => {
  const value = make('p', 'value', '0')
  const drawing = make('div', 'drawing')
  const most = make('span', 'most')
  const card = make(
    'figure',
    'card',
    make('figcaption', '', make('h2', '', title), make('p', 'about', about)),
    value,
    drawing,
    make('div', 'axis', make('span', '', '1 min ago'), ...(legend ?? []).map(key), make('span', '', 'now')),
  )
  board.append(card)
  return () => {
    const series = names.map((name) => totals.series(name))
    const now = names.map((name) => format(totals.now[name])).join(' / ')
    const highest = format(Math.max(...series.flat()))
    const { svg, most: ceiling } = drawChart(
      series,
      `${title}: ${now} now, at most ${highest} in the last minute`,
    )
    value.textContent = now
    most.textContent = format(ceiling)
    drawing.replaceChildren(svg, most)
  }
})

/** @param {string} text @param {number} index */
function key(text, index) {
  return make('span', `key key-${index}`, text)
}

function show() {
  for (const draw of cards) draw()
  const { broadcasts, delivered } = totals.now
  sums.replaceChildren(
    make('div', '', make('dt', '', 'broadcasts since the start'), make('dd', '', format(broadcasts))),
    make('div', '', make('dt', '', 'messages delivered by them'), make('dd', '', format(delivered))),
    make(
      'div',
      '',
      make('dt', '', totals.processes.length === 1 ? 'process' : 'processes'),
      make('dd', '', format(totals.processes.length)),
    ),
  )
  processes.replaceChildren(
    ...totals.processes.map(({ process, connections, rooms, received, sent }) =>
      make(
        'tr',
        '',
        ...[String(process.pid), duration(process.uptime), format(connections), format(rooms)].map((text) =>
          make('td', '', text),
        ),
        make('td', '', format(received + sent)),
      ),
    ),
  )
}

/** @param {number} seconds */
function duration(seconds) {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  return hours > 0
    ? `${hours} h ${minutes} min`
    : minutes > 0
      ? `${minutes} min ${seconds % 60} s`
      : `${seconds} s`
}

const socket = new ReconnectingWebSocket('/ws/stats', { ping: { interval: 5000, timeout: 4000 } })
socket.addEventListener('message', ({ data }) => {
  if (totals.add(String(data))) show()
})
showStateOf(socket)
show()
