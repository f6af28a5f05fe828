// The chat page. Everything from other members is shown with textContent, so that it is never parsed as markup.
import { ReconnectingWebSocket } from '/hubwire/index.js'
import { showStateOf } from './connection-state.js'
import { element } from './element.js'
import { clearLog, hasMessages, showMessage, showNote, showReceipt } from './log.js'
import { personCame, personLeft, setPeople } from './people.js'
import './live.js'

/** @typedef {{ type: string, [key: string]: unknown }} ChatEvent a message from the server */

const PING = JSON.stringify({ action: 'ping' })

const title = element('title', HTMLElement)
const latency = element('latency', HTMLElement)
const panel = element('panel', HTMLElement)
const invitation = element('invitation', HTMLElement)
const second = element('second', HTMLAnchorElement)
const name = element('name', HTMLInputElement)
const room = element('room', HTMLInputElement)
const draft = element('text', HTMLInputElement)
const send = element('send', HTMLButtonElement)

/** @type {ReconnectingWebSocket | undefined} */
let socket
let members = 0
let pingedAt = 0
let unread = 0
let lastId = 0
/** Own messages by their ids, until the server has confirmed them. @type {Map<unknown, HTMLElement>} */
const unacknowledged = new Map()

/** The room is the fragment of the URL, so that a link opens it. The name is kept for this tab. */
function join() {
  room.value = roomOf(location.hash)
  name.value ||= history.state?.name ?? `Guest ${100 + Math.floor(Math.random() * 900)}`
  history.replaceState({ name: name.value }, '')
  title.textContent = room.value
  second.href = location.hash || '#lobby'
  showTitle()
  clearLog()
  unacknowledged.clear()
  socket?.close()
  const url = `/ws/chat/${encodeURIComponent(room.value)}/?name=${encodeURIComponent(name.value)}`
  const next = new ReconnectingWebSocket(url, { ping: { interval: 8000, timeout: 4000 } })
  next.addEventListener('state', ({ state }) => {
    if (next === socket) changed(state)
  })
  next.addEventListener('message', ({ data }) => {
    if (next === socket) receive(JSON.parse(String(data)))
  })
  socket = next
  changed(next.status.state)
  showStateOf(next)
}

/** @param {string} fragment */
function roomOf(fragment) {
  let text = fragment.slice(1)
  try {
    text = decodeURIComponent(text)
  } catch {
    // It is not encoded: take it as it is.
  }
  return text.trim().slice(0, 40) || 'lobby'
}

/** @param {import('/hubwire/index.js').Status['state']} state */
function changed(state) {
  send.disabled = state !== 'open'
  if (state === 'open')
    setTimeout(ping, 300) // while the page is loading, it would measure the browser
  else {
    latency.textContent = ''
    invitation.hidden = true
    countPeople(0)
    setPeople([], '')
  }
}

/** @param {ChatEvent} event */
function receive(event) {
  const member = words(event.member)
  switch (event.type) {
    case 'connection_established':
      setPeople([event.members].flat().map(words), member)
      countPeople([event.members].flat().length)
      showNote(`You are ${member} in ${words(event.room)}`)
      break
    case 'member_joined':
      personCame(member)
      countPeople(members + 1)
      showNote(member, 'joined', (names) => `${sum(names)} joined`)
      break
    case 'member_left':
      personLeft(member)
      countPeople(members - 1)
      showNote(member, 'left', (names) => `${sum(names)} left`)
      break
    case 'chat_message':
      showMessage(member, words(event.text ?? event.message ?? event), false)
      invitation.hidden = true
      if (document.hidden) showTitle(unread + 1)
      break
    case 'delivered':
      showDelivery(event)
      break
    case 'pong':
      latency.textContent = `${Math.max(1, Math.round(performance.now() - pingedAt))} ms`
      break
    case 'error':
      showNote(words(event.message))
  }
}

/** Returns a value as text. Other members may send any JSON value. @param {unknown} value */
function words(value) {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** @param {string[]} names */
function sum(names) {
  const [first = '', second = ''] = names.map((each) => (each.length > 24 ? `${each.slice(0, 23)}…` : each))
  if (names.length === 1) return first
  return names.length === 2 ? `${first} and ${second}` : `${first}, ${second} and ${names.length - 2} more`
}

/** @param {number} count */
function countPeople(count) {
  members = count
  invitation.hidden = count !== 1 || hasMessages()
}

/** @param {ChatEvent} event */
function showDelivery({ id, members: reached, relayed }) {
  const bubble = unacknowledged.get(id)
  unacknowledged.delete(id)
  if (!bubble) return
  const count = Number(reached)
  if (relayed) showReceipt(bubble, `Broadcast to ${count} here, relayed to other processes`)
  else showReceipt(bubble, count === 0 ? 'Nobody else is here' : `Broadcast to ${count}`)
}

function showTitle(count = 0) {
  unread = count
  document.title = `${count > 0 ? `(${count}) ` : ''}${room.value} · hubwire chat`
}

function ping() {
  pingedAt = performance.now()
  socket?.send(PING)
}

/** Shares the link to this room on a phone, and copies it elsewhere. @param {HTMLElement} button */
async function shareLink(button) {
  const { href } = second
  const isPhone = matchMedia('(pointer: coarse)').matches && 'share' in navigator
  try {
    await (isPhone ? navigator.share({ url: href }) : navigator.clipboard.writeText(href))
    button.dataset.done = isPhone ? 'Shared' : 'Copied'
  } catch {
    if (isPhone) return // the user has cancelled
    // The clipboard needs a secure context. Without one, show the link.
    button.dataset.done = href
  }
  setTimeout(() => delete button.dataset.done, 2000)
}

for (const id of ['share', 'copy']) {
  const button = element(id, HTMLButtonElement)
  button.addEventListener('click', () => void shareLink(button))
}

element('join', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault()
  history.replaceState({ name: name.value }, '', `#${encodeURIComponent(room.value.trim() || 'lobby')}`)
  join()
  if (panel.matches(':popover-open')) panel.hidePopover()
  draft.focus()
})

element('say', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault()
  draft.focus() // keeps the keyboard of a phone open
  const id = ++lastId
  if (socket?.send(JSON.stringify({ action: 'say', id, text: draft.value })) !== 'sent') return
  unacknowledged.set(id, showMessage(name.value, draft.value, true))
  invitation.hidden = true
  draft.value = ''
})

addEventListener('hashchange', join)
document.addEventListener('visibilitychange', () => showTitle())
setInterval(() => {
  if (socket?.status.state === 'open' && !document.hidden) ping()
}, 2000)

join()
draft.focus()
