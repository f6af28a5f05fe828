// Counts the broadcasts in the panel of the chat page, while the panel is visible.
import { ReconnectingWebSocket } from '/hubwire/index.js'
import { drawChart } from './chart.js'
import { element } from './element.js'
import { Totals } from './totals.js'

const isWide = matchMedia('(min-width: 56rem)')
const panel = element('panel', HTMLElement)
const broadcasts = element('broadcasts', HTMLElement)
const spark = element('spark', HTMLElement)
const totals = new Totals()
const numbers = new Intl.NumberFormat('en')

/** @type {ReconnectingWebSocket | undefined} */
let socket

function follow() {
  if (!isWide.matches && !panel.matches(':popover-open')) {
    socket?.close()
    socket = undefined
  } else if (socket === undefined) {
    socket = new ReconnectingWebSocket('/ws/stats', { ping: {}, log: false })
    socket.addEventListener('message', ({ data }) => {
      if (totals.add(String(data))) show()
    })
  }
}

function show() {
  broadcasts.textContent = numbers.format(totals.now.broadcasts)
  spark.replaceChildren(drawChart([totals.series('sent')], '').svg)
}

isWide.addEventListener('change', follow)
panel.addEventListener('toggle', follow)
follow()
