import { isAscii, isUtf8 } from 'node:buffer'

/** For fewer bytes the automaton is faster than `isUtf8` with a view. */
const NATIVE_FROM = 32

/** For shorter text, validating it as UTF-8 and converting it from that are as fast. */
const ASCII_FROM = 1024

/** Whether text is ASCII, and so long that it is worth knowing. */
export function isLongAscii(text: Buffer): boolean {
  return text.length >= ASCII_FROM && isAscii(text)
}

/**
 * Validates UTF-8 that arrives in pieces, and fails at the first byte that no valid text can contain there (RFC 6455
 * section 8.1, RFC 3629 section 4): text is refused as soon as it is known to be invalid, not when its frame or message
 * ends.
 */
export class Utf8Validator {
  /** How many continuation bytes must follow. */
  #due = 0
  /** The bounds of the next continuation byte: narrower than 80..BF after E0, ED, F0 and F4. */
  #lower = 0x80
  #upper = 0xbf

  /** Whether the text so far ends between two characters, as a whole text must. */
  get complete(): boolean {
    return this.#due === 0
  }

  /** Takes `bytes[start, end)`; `false` if the text is invalid, after which the validator must not be used again. */
  push(bytes: Buffer, start: number, end: number): boolean {
    let index = start
    while (this.#due > 0 && index < end) if (!this.#step(bytes[index++]!)) return false
    if (end - index >= NATIVE_FROM) {
      const boundary = lastBoundary(bytes, end)
      if (!isUtf8(bytes.subarray(index, boundary))) return false
      index = boundary
    }
    while (index < end) if (!this.#step(bytes[index++]!)) return false
    return true
  }

  #step(byte: number): boolean {
    if (this.#due > 0) {
      if (byte < this.#lower || byte > this.#upper) return false
      this.#due--
      this.#lower = 0x80
      this.#upper = 0xbf
      return true
    }
    if (byte < 0x80) return true
    if (byte < 0xc2 || byte > 0xf4) return false
    this.#due = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
    if (byte === 0xe0) this.#lower = 0xa0
    else if (byte === 0xed) this.#upper = 0x9f
    else if (byte === 0xf0) this.#lower = 0x90
    else if (byte === 0xf4) this.#upper = 0x8f
    return true
  }
}

/** The offset of the last character if it may be incomplete at `end`, else `end`. The automaton reads on from there. */
function lastBoundary(bytes: Buffer, end: number): number {
  for (let index = end - 1; index >= end - 3; index--) {
    const byte = bytes[index]!
    if (byte >= 0xc0) return index
    if (byte < 0x80) break
  }
  return end
}
