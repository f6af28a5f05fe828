import { isToken } from '../protocol/header-grammar.js'

/** Subprotocols to offer, in order of preference. */
export type Subprotocols = string | readonly string[]

/** Tells subprotocols from options, which may be given in their place. */
export function isSubprotocols(value: unknown): value is Subprotocols | undefined {
  return value === undefined || typeof value === 'string' || Array.isArray(value)
}

/** @throws SyntaxError when one is not a token, or is repeated */
export function readSubprotocols(protocols: Subprotocols = []): ReadonlySet<string> {
  const list = typeof protocols === 'string' ? [protocols] : protocols
  const set = new Set(list)
  if (set.size < list.length || !list.every((name) => isToken(name))) {
    throw new SyntaxError(`Subprotocols must be tokens without repetition; they are ${JSON.stringify(list)}`)
  }
  return set
}
