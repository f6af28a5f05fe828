// The members of the room. Several members may have the same name.
import { element, make } from './element.js'

/** The number of faces on the button that opens the panel. */
const FACES = 3

const list = element('members', HTMLElement)
const faces = element('faces', HTMLElement)
const button = element('people', HTMLButtonElement)
const counts = document.querySelectorAll('[data-count]')

/** @type {string[]} */
let names = []
let own = ''

/**
 * @param {string[]} members
 * @param {string} you
 */
export function setPeople(members, you) {
  names = members
  own = you
  show()
}

/** @param {string} name */
export function personCame(name) {
  setPeople([...names, name], own)
}

/** @param {string} name */
export function personLeft(name) {
  const at = names.indexOf(name)
  setPeople(
    names.filter((_, index) => index !== at),
    own,
  )
}

/** A circle with the first letter of a name, in a colour that depends on the name. @param {string} name */
export function faceOf(name) {
  const [letter = '?'] = name.trim()
  const face = make('span', 'face', letter.toUpperCase())
  face.ariaHidden = 'true'
  let hash = 0
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) | 0
  face.style.setProperty('--hue', String(Math.abs(hash * 137) % 360)) // the golden angle separates similar names
  return face
}

function show() {
  const others = [...names]
  const at = others.indexOf(own)
  if (at >= 0) others.splice(at, 1)
  list.replaceChildren(...(at >= 0 ? [item(own, true)] : []), ...others.map((name) => item(name, false)))
  faces.replaceChildren(...others.slice(0, FACES).map(faceOf))
  for (const each of counts) each.textContent = names.length > 0 ? String(names.length) : ''
  button.ariaLabel = names.length > 0 ? `Room and people: ${names.length} here` : 'Room and people'
}

/** @param {string} name @param {boolean} isYou */
function item(name, isYou) {
  return make('li', '', faceOf(name), make('span', 'name', name), isYou ? make('span', 'you', 'you') : '')
}
