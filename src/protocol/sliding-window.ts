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
    if (octets.length === 0) return
    const before = this.#octets
    const length = Math.min(this.#size, octets.length + (before === undefined ? 0 : before.length))
    const fresh = Math.min(octets.length, length)
    const kept = length - fresh
    // Memory of its own, as long as the connection: Node's pool would be kept alive by it.
    this.#octets = Buffer.allocUnsafeSlow(length)
    if (before !== undefined) before.copy(this.#octets, 0, before.length - kept)
    octets.copy(this.#octets, kept, octets.length - fresh)
  }

  /** Forgets all: what follows is compressed as if it were the first, which any peer can read. */
  clear(): void {
    this.#octets = undefined
  }
}
