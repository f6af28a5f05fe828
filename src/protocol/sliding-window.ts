/**
 * The last bytes that were sent in one direction of a connection with context takeover: what the next message may refer
 * to (RFC 7692 section 7.2). They are zlib's dictionary for it. A connection keeps this window instead of a zlib engine,
 * which takes ten times the memory, cannot be used synchronously and has to be closed.
 */
export class SlidingWindow {
  readonly #size: number
  #bytes: Buffer | undefined

  /** @param bits - the base-2 logarithm of the window's size in bytes */
  constructor(bits: number) {
    this.#size = 2 ** bits
  }

  /** The bytes, for zlib's `dictionary`; `undefined` while there are none. */
  get dictionary(): Buffer | undefined {
    return this.#bytes
  }

  append(bytes: Buffer): void {
    if (bytes.length === 0) return
    const before = this.#bytes
    const length = Math.min(this.#size, bytes.length + (before === undefined ? 0 : before.length))
    const fresh = Math.min(bytes.length, length)
    const kept = length - fresh
    // It lives as long as the connection, and would keep Node's pool alive.
    this.#bytes = Buffer.allocUnsafeSlow(length)
    if (before !== undefined) before.copy(this.#bytes, 0, before.length - kept)
    bytes.copy(this.#bytes, kept, bytes.length - fresh)
  }

  /** Empties the window: the next message is compressed as if it were the first, which any peer can inflate. */
  clear(): void {
    this.#bytes = undefined
  }
}
