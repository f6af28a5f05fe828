import { isUtf8 } from 'node:buffer'

/** Below this many octets the automaton is quicker than a call of `isUtf8` with a view. */
const NATIVE_FROM = 32

/**
 * Validates UTF-8 that arrives in pieces, and fails at the first octet after which no valid text can follow
 * (RFC 6455 section 8.1, RFC 3629 section 4): a text is refused as soon as it is known to be wrong, not when its
 * frame or message ends.
 */
export class Utf8Validator {
  /** Continuation octets still due. */
  #due = 0
  /** The bounds of the next continuation octet: narrower than 80..BF after E0, ED, F0 and F4. */
  #lower = 0x80
  #upper = 0xbf

  /** Whether the text so far ends between two characters, as a whole text must. */
  get complete(): boolean {
    return this.#due === 0
  }

  /** Takes `octets[start, end)`; `false` says that the text is invalid, after which the validator is of no more use. */
  push(octets: Buffer, start: number, end: number): boolean {
    let index = start
    while (this.#due > 0 && index < end) if (!this.#step(octets[index++]!)) return false
    if (end - index >= NATIVE_FROM) {
      const boundary = lastBoundary(octets, end)
      if (!isUtf8(octets.subarray(index, boundary))) return false
      index = boundary
    }
    while (index < end) if (!this.#step(octets[index++]!)) return false
    return true
  }

  #step(octet: number): boolean {
    if (this.#due > 0) {
      if (octet < this.#lower || octet > this.#upper) return false
      this.#due--
      this.#lower = 0x80
      this.#upper = 0xbf
      return true
    }
    if (octet < 0x80) return true
    if (octet < 0xc2 || octet > 0xf4) return false
    this.#due = octet < 0xe0 ? 1 : octet < 0xf0 ? 2 : 3
    if (octet === 0xe0) this.#lower = 0xa0
    else if (octet === 0xed) this.#upper = 0x9f
    else if (octet === 0xf0) this.#lower = 0x90
    else if (octet === 0xf4) this.#upper = 0x8f
    return true
  }
}

/** Where the last character begins that may be unfinished at `end`: the octets from there on go through the automaton. */
function lastBoundary(octets: Buffer, end: number): number {
  for (let index = end - 1; index >= end - 3; index--) {
    const octet = octets[index]!
    if (octet >= 0xc0) return index
    if (octet < 0x80) break
  }
  return end
}
