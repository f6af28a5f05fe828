/**
 * The last octets of what went one way over a connection with context takeover: what the next message may refer to
 * (RFC 7692 section 7.2). zlib takes them as a dictionary, so a connection keeps this window and no zlib state, which
 * is a tenth of the memory, can be used synchronously, and leaves nothing to close.
 */
export class SlidingWindow {
  readonly #size: number
  #octets: Buffer | undefined

  /** @param bits - the base-2 logarithm of its size in octets */
  constructor(bits: number) {
    this.#size = 2 ** bits
  }

  /** The octets, for zlib's `dictionary`; `undefined` while there are none. */
  get dictionary(): Buffer | undefined {
    return this.#octets
  }

  append(octets: Buffer): void {
    if (octets.length >= this.#size) this.#octets = Buffer.from(octets.subarray(octets.length - this.#size))
    else if (octets.length > 0) {
      const kept = this.#octets?.subarray(Math.max(0, this.#octets.length + octets.length - this.#size))
      this.#octets = kept === undefined ? Buffer.from(octets) : Buffer.concat([kept, octets])
    }
  }

  /** Forgets all: what follows is compressed as if it were the first, which any peer can read. */
  clear(): void {
    this.#octets = undefined
  }
}
