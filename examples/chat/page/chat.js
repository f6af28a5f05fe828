// The chat page. Everything from other members is shown with textContent, so that it is never parsed as markup.
import { ReconnectingWebSocket } from '/hubwire/index.js'

/** @typedef {{ type: string, [key: string]: unknown }} ChatEvent a message from the server */

const MOST_LINES = 500

const state = element('state', HTMLElement)
const members = element('members', HTMLElement)
const lines = element('lines', HTMLElement)
const name = element('name', HTMLInputElement)
const room = element('room', HTMLInputElement)
const draft = element('text', HTMLInputElement)
const send = element('send', HTMLButtonElement)

/** @type {ReconnectingWebSocket | undefined} */
let socket

/** The room is the fragment of the URL, so that a link opens it. The name is kept for this tab. */
function join() {
  room.value = location.hash.slice(1).replace(/\W+/g, '_') || 'lobby'
  name.value ||= history.state?.name ?? `Guest ${100 + Math.floor(Math.random() * 900)}`
  history.replaceState({ name: name.value }, '')
  document.title = `${room.value} · hubwire chat`
  socket?.close()
  const url = `/ws/chat/${room.value}/?name=${encodeURIComponent(name.value)}`
  socket = new ReconnectingWebSocket(url, { ping: { interval: 15_000 } })
  socket.addEventListener('state', showState)
  socket.addEventListener('message', ({ data }) => receive(JSON.parse(String(data))))
  showState(socket.status)
}

/** @param {ChatEvent} event */
function receive(event) {
  const member = words(event.member)
  switch (event.type) {
    case 'connection_established':
      members.replaceChildren(...[event.members].flat().map((each) => item(words(each))))
      note(`You are ${member} in ${words(event.room)}`)
      break
    case 'member_joined':
      members.append(item(member))
      note(`${member} joined`)
      break
    case 'member_left':
      Array.from(members.children)
        .find((each) => each.textContent === member)
        ?.remove()
      note(`${member} left`)
      break
    case 'chat_message':
      say(member, words(event.text ?? event.message ?? event), 'theirs')
      break
    case 'error':
      note(words(event.message))
  }
}

/**
 * Returns a value as text. Other members may send any JSON value.
 *
 * @param {unknown} value
 */
function words(value) {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** @param {import('/hubwire/index.js').Status} status */
function showState(status) {
  state.dataset.state = status.state
  state.textContent = sentence(status)
  send.disabled = status.state !== 'open'
  if (status.state !== 'open') members.replaceChildren()
}

/** @param {import('/hubwire/index.js').Status} status */
function sentence(status) {
  switch (status.state) {
    case 'connecting':
      return 'Connecting…'
    case 'open':
      return 'Connected'
    case 'waiting':
      if (status.reason === 'offline') return 'Offline'
      return `Connection lost, next attempt in ${Math.max(1, Math.round(status.delay / 1000))} s`
    case 'closed':
      return `Closed: ${status.reason || status.code}`
  }
}

/** @param {string} text */
function note(text) {
  show(item(text), 'note')
}

/**
 * @param {string} member
 * @param {string} text
 * @param {'mine' | 'theirs'} whose
 */
function say(member, text, whose) {
  const line = document.createElement('li')
  const by = document.createElement('b')
  const said = document.createElement('p')
  const at = document.createElement('time')
  by.textContent = member
  said.textContent = text
  at.textContent = new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  line.append(by, at, said)
  show(line, whose)
}

/**
 * @param {HTMLElement} line
 * @param {string} kind
 */
function show(line, kind) {
  const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40
  line.className = kind
  lines.append(line)
  if (lines.children.length > MOST_LINES) lines.firstElementChild?.remove()
  if (atEnd || kind === 'mine') lines.scrollTop = lines.scrollHeight
}

/** @param {string} text */
function item(text) {
  const line = document.createElement('li')
  line.textContent = text
  return line
}

/**
 * @template {HTMLElement} Type
 * @param {string} id
 * @param {{ new (): Type }} type
 * @returns {Type}
 */
function element(id, type) {
  const found = document.getElementById(id)
  if (!(found instanceof type)) throw new TypeError(`The page has no ${type.name} #${id}`)
  return found
}

element('join', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault()
  history.replaceState({ name: name.value }, '', `#${room.value}`)
  lines.replaceChildren()
  join()
  draft.focus()
})

element('say', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault()
  if (socket?.send(JSON.stringify({ action: 'say', text: draft.value })) !== 'sent') return
  say(name.value, draft.value, 'mine')
  draft.value = ''
})

addEventListener('hashchange', () => {
  lines.replaceChildren()
  join()
})

join()
