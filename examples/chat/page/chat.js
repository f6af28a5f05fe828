// The chat page. Everything from other members is shown with textContent, so that it is never parsed as markup.
import { ReconnectingSocket } from './reconnecting-socket.js'

/** @typedef {import('./reconnecting-socket.js').ChatEvent} ChatEvent */
/** @typedef {import('./reconnecting-socket.js').State} State */

const MOST_LINES = 500

const state = element('state', HTMLElement)
const members = element('members', HTMLElement)
const lines = element('lines', HTMLElement)
const name = element('name', HTMLInputElement)
const room = element('room', HTMLInputElement)
const draft = element('text', HTMLInputElement)
const send = element('send', HTMLButtonElement)

/** @type {ReconnectingSocket | undefined} */
let socket

/** The room is the fragment of the URL, so that a link opens it. The name is kept for this tab. */
function join() {
  room.value = location.hash.slice(1).replace(/\W+/g, '_') || 'lobby'
  name.value ||= history.state?.name ?? `Guest ${100 + Math.floor(Math.random() * 900)}`
  history.replaceState({ name: name.value }, '')
  document.title = `${room.value} · hubwire chat`
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:'
  const url = `${scheme}//${location.host}/ws/chat/${room.value}/?name=${encodeURIComponent(name.value)}`
  socket?.close()
  socket = new ReconnectingSocket(url, receive, showState)
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

/**
 * @param {State} now
 * @param {number} delay in ms
 */
function showState(now, delay) {
  const sentences = {
    connecting: 'Connecting…',
    open: 'Connected',
    waiting: `Connection lost, next attempt in ${Math.max(1, Math.round(delay / 1000))} s`,
  }
  state.dataset.state = now
  state.textContent = sentences[now]
  send.disabled = now !== 'open'
  if (now !== 'open') members.replaceChildren()
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
  if (!socket?.send({ action: 'say', text: draft.value })) return
  say(name.value, draft.value, 'mine')
  draft.value = ''
})

addEventListener('hashchange', () => {
  lines.replaceChildren()
  join()
})
addEventListener('online', () => socket?.connect())

join()
