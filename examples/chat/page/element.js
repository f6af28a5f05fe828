/**
 * Returns the element with an id, after a check of its type.
 *
 * @template {HTMLElement} Type
 * @param {string} id
 * @param {{ new (): Type }} type
 * @returns {Type}
 */
export function element(id, type) {
  const found = document.getElementById(id)
  if (!(found instanceof type)) throw new TypeError(`The page has no ${type.name} #${id}`)
  return found
}

/**
 * Makes an element. Text is never parsed as markup.
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {string} className
 * @param {(string | Node)[]} content
 */
export function make(name, className, ...content) {
  const made = document.createElement(name)
  made.className = className
  made.append(...content)
  return made
}
