/**
 * JSON.parse with a result of type `unknown`, which the caller has to narrow or cast.
 *
 * @param {string} text
 * @returns {unknown}
 */
export function parseJson(text) {
  /** @type {unknown} */
  const value = JSON.parse(text)
  return value
}
