// Shows the state of a connection. Without a connection, it shows the reason, a countdown and a button.
import { element } from './element.js'

const state = element('state', HTMLElement)
const words = element('words', HTMLElement)
const announcement = element('announcement', HTMLElement)
const outage = element('outage', HTMLElement)
const trouble = element('trouble', HTMLElement)
const countdown = element('countdown', HTMLElement)
const retry = element('retry', HTMLButtonElement)

/** @typedef {import('/hubwire/index.js').Status} Status */

/** @type {import('/hubwire/index.js').ReconnectingWebSocket | undefined} */
let socket
/** @type {ReturnType<typeof setInterval> | undefined} */
let timer

/** @param {import('/hubwire/index.js').ReconnectingWebSocket} next */
export function showStateOf(next) {
  socket = next
  next.addEventListener('state', () => {
    if (socket === next) show(next.status)
  })
  show(next.status)
}

retry.addEventListener('click', () => socket?.reconnect())

/** @param {Status} status */
function show(status) {
  clearInterval(timer)
  state.dataset.state = status.state
  // During an outage, keep its line in place.
  if (status.state === 'connecting') {
    words.textContent = 'Connecting'
    countdown.textContent = 'Connecting…'
    return
  }
  words.textContent = { open: 'Live', waiting: 'Reconnecting', closed: 'Closed' }[status.state]
  outage.hidden = status.state === 'open'
  const text = troubleOf(status)
  trouble.textContent = text
  // A screen reader announces each change of the text: do not set the same text again.
  if (announcement.textContent !== (text || 'Connected')) announcement.textContent = text || 'Connected'
  countdown.textContent = ''
  if (status.state === 'waiting') count(Date.now() + status.delay)
}

/** @param {number} due */
function count(due) {
  const tick = () => {
    const seconds = Math.max(1, Math.ceil((due - Date.now()) / 1000))
    countdown.textContent = Number.isFinite(seconds) ? `Trying again in ${seconds} s` : ''
  }
  tick()
  timer = setInterval(tick, 250)
}

/** @param {Status} status */
function troubleOf(status) {
  if (status.state === 'closed') return `Closed: ${status.reason || status.code}.`
  if (status.state !== 'waiting') return ''
  switch (status.reason) {
    case 'offline':
      return 'You are offline.'
    case 'unreachable-or-refused':
      return 'The server cannot be reached.'
    case 'busy':
      return 'The server is busy.'
    default:
      return 'Connection lost.'
  }
}
