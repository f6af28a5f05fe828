import { isToken } from '../protocol/header-grammar.js'

/** Subprotocols to offer, in order of preference. */
export type Subprotocols = string | Iterable<string>

/** Tells subprotocols from options, which may be given in their place. */
export function isSubprotocols(value: unknown): value is Subprotocols | undefined {
  return (
    value === undefined ||
    typeof value === 'string' ||
    (typeof value === 'object' && value !== null && Symbol.iterator in value)
  )
}

/** @throws SyntaxError when one is not a token, or is repeated, whatever its case */
export function readSubprotocols(protocols: Subprotocols = []): ReadonlySet<string> {
  const list = typeof protocols === 'string' ? [protocols] : Array.from(protocols, String)
  if (new Set(list.map((name) => name.toLowerCase())).size < list.length || !list.every(isToken)) {
    throw new SyntaxError(`Subprotocols must be tokens without repetition; they are ${JSON.stringify(list)}`)
  }
  return new Set(list)
}
