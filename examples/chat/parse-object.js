/**
 * Parses a message. Returns `undefined` if it is not a JSON object.
 *
 * @param {unknown} data
 * @returns {Record<string, unknown> | undefined}
 */
export function parseObject(data) {
  try {
    const value = JSON.parse(String(data))
    return value instanceof Object ? value : undefined
  } catch {
    return undefined
  }
}
