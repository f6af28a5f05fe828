import { isToken } from '../protocol/header-grammar.js'

/** Subprotocols to offer, in order of preference. */
export type Subprotocols = string | Iterable<string>

/** Distinguishes subprotocols from options, which may be given in their place. */
export function isSubprotocols(value: unknown): value is Subprotocols | undefined {
  return (
    value === undefined ||
    typeof value === 'string' ||
    (typeof value === 'object' && value !== null && Symbol.iterator in value)
  )
}

/**
 * @param ignoresCase - whether names that differ by case alone are a repetition, as in the web
 * @throws SyntaxError when one is not a token, or is repeated
 */
export function readSubprotocols(protocols: Subprotocols = [], ignoresCase = true): ReadonlySet<string> {
  const list = typeof protocols === 'string' ? [protocols] : Array.from(protocols, String)
  const names = new Set(ignoresCase ? list.map((name) => name.toLowerCase()) : list)
  if (names.size < list.length || !list.every(isToken)) {
    throw new SyntaxError(`Subprotocols must be tokens without repetition; they are ${JSON.stringify(list)}`)
  }
  return new Set(list)
}
