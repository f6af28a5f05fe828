// The messages. Consecutive messages of one person are a group, with one name and time.
import { element, make } from './element.js'
import { faceOf } from './people.js'

const MOST_GROUPS = 500
/** Milliseconds without a message after which the same person gets a new group. */
const PAUSE = 180_000

const lines = element('lines', HTMLElement)

/** @type {{ member: string, isMine: boolean, at: number, bubbles: HTMLElement } | undefined} */
let last

/**
 * @param {string} member
 * @param {string} text
 * @param {boolean} isMine
 * @returns {HTMLElement} the bubble
 */
export function showMessage(member, text, isMine) {
  const now = Date.now()
  const isSame = last?.member === member && last.isMine === isMine && now - last.at < PAUSE
  if (!isSame) last = { member, isMine, at: now, bubbles: beginGroup(member, isMine) }
  const bubble = make('p', '', text)
  keepingEnd(isMine, () => last?.bubbles.append(bubble))
  return bubble
}

/**
 * Adds a note. With `sum`, further notes of the same kind extend the last one. Notes are hidden from screen readers, because
 * the list of members has the same information.
 *
 * @param {string} text
 * @param {string} [kind]
 * @param {(names: string[]) => string} [sum]
 */
export function showNote(text, kind = '', sum) {
  const before = lines.lastElementChild
  if (sum && before instanceof HTMLElement && before.dataset.kind === kind) {
    const names = [...JSON.parse(before.dataset.names ?? '[]'), text]
    before.dataset.names = JSON.stringify(names)
    before.textContent = sum(names)
    return
  }
  const note = make('div', 'note', sum?.([text]) ?? text)
  note.ariaHidden = 'true'
  if (sum) Object.assign(note.dataset, { kind, names: JSON.stringify([text]) })
  append(note)
  last = undefined
}

/** Shows the delivery under an own message. @param {HTMLElement} bubble @param {string} text */
export function showReceipt(bubble, text) {
  const receipt = make('small', 'receipt', text)
  receipt.ariaHidden = 'true'
  keepingEnd(false, () => {
    bubble.parentElement?.querySelector('.receipt')?.remove()
    bubble.after(receipt)
  })
}

export function clearLog() {
  lines.replaceChildren()
  last = undefined
}

export function hasMessages() {
  return lines.querySelector('.mine, .theirs') !== null
}

/** @param {string} member @param {boolean} isMine */
function beginGroup(member, isMine) {
  const at = new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  const bubbles = make('div', 'bubbles', make('div', 'by', make('b', '', member), make('time', '', at)))
  append(make('div', isMine ? 'mine' : 'theirs', faceOf(member), bubbles))
  return bubbles
}

/** @param {HTMLElement} line */
function append(line) {
  keepingEnd(false, () => {
    lines.append(line)
    if (lines.children.length > MOST_GROUPS) lines.firstElementChild?.remove()
  })
}

/** Keeps the end of the log visible, unless the user has scrolled back. @param {boolean} always @param {() => void} [change] */
function keepingEnd(always, change) {
  const goesOn = always || isAtEnd
  change?.()
  if (goesOn) lines.scrollTop = lines.scrollHeight
}

let isAtEnd = true
lines.addEventListener('scroll', () => {
  isAtEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40
})
// The keyboard of a phone makes the log smaller: keep its end visible.
new ResizeObserver(() => keepingEnd(false)).observe(lines)
