/** The longest text that a message quotes, in characters. */
const LONGEST = 60

/** Shows a value in an error message, such as `"https://x"`, `5000`, `a function` or `an object (Map)`. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return shorten(JSON.stringify(value))
    case 'function':
      return value.name === '' ? 'a function' : `the function ${value.name}`
    case 'object':
      return value === null ? 'null' : describeObject(value)
    default:
      return String(value)
  }
}

function describeObject(value: object): string {
  if (value instanceof RegExp) return shorten(String(value))
  if (value instanceof Promise) return 'a Promise'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `[${shorten(items(value))}]`
  return `an object (${value.constructor?.name || 'without a class'})`
}

/** Nested arrays are not described, because an array may contain itself. */
function items(array: readonly unknown[]): string {
  return array
    .slice(0, LONGEST)
    .map((item) => (Array.isArray(item) ? 'an array' : describe(item)))
    .join(', ')
}

function shorten(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}
