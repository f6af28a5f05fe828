/**
 * JSON.parse with the type that the result has before anybody has looked at it.
 *
 * @param {string} text
 * @returns {unknown}
 */
export function parseJson(text) {
  /** @type {unknown} */
  const value = JSON.parse(text)
  return value
}
