/** A piece shorter than this is always copied: its view would take more memory than it holds. */
const VIEW_FROM = 4096

const SMALLEST_SEGMENT = 256
const LARGEST_SEGMENT = 64 * 1024

/**
 * A copy in memory of its own. What is kept for as long as a peer likes must not come from Node's pool: a few octets
 * would keep all of it alive (8 KiB, and 64 KiB since Node 24).
 */
export function isolate(octets: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(octets.length)
  octets.copy(copy)
  return copy
}

/**
 * `octets[start, end)` in memory that is not much larger than it: a view where {@link isWorthPassing} says so, else a
 * copy. A view of four octets would pin the whole read buffer, which is how small messages come to hold megabytes.
 */
export function detach(octets: Buffer, start: number, end: number): Buffer {
  if (isWorthPassing(octets, end - start)) return octets.subarray(start, end)
  if (end - start >= VIEW_FROM) return isolate(octets.subarray(start, end))
  // Short ones come from Node's pool, at a tenth of the price.
  const copy = Buffer.allocUnsafe(end - start)
  octets.copy(copy, 0, start, end)
  return copy
}

/**
 * Whether a message fills at least a quarter of the memory that a view of it would keep alive: 16 KiB of a full read
 * (the copy took 11 % of the time of echoing that).
 */
export function isWorthPassing(octets: Buffer, length: number): boolean {
  return length >= VIEW_FROM && length * 4 >= octets.buffer.byteLength
}

/** The same for a piece that is held until the rest of its message comes, for as long as the peer likes: half. */
function isWorthHolding(octets: Buffer, length: number): boolean {
  return length >= VIEW_FROM && length * 2 >= octets.buffer.byteLength
}

/**
 * The payload of an unfinished message. Small pieces are laid together in segments that grow with the message, so
 * that the memory held stays within about twice the octets counted, whatever the sizes of frames and chunks.
 */
export class Fragments {
  /** The octets held. */
  length = 0

  readonly #pieces: Buffer[] = []
  #segment: Buffer | undefined
  #used = 0

  /** @param due - octets of the same frame that are still to come: as much again as is there is provided for */
  add(octets: Buffer, start: number, end: number, due = 0): void {
    this.length += end - start
    if (isWorthHolding(octets, end - start)) {
      this.#seal()
      this.#pieces.push(octets.subarray(start, end))
      return
    }
    let from = start
    while (from < end) {
      const segment = this.#room(due)
      const copied = octets.copy(segment, this.#used, from, end)
      this.#used += copied
      from += copied
    }
  }

  /** The whole payload, in one Buffer. */
  take(): Buffer {
    const pieces = this.takePieces()
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, this.length)
  }

  /** The whole payload in the pieces that it is held in. Nothing may be added after it. */
  takePieces(): Buffer[] {
    this.#seal()
    return this.#pieces
  }

  #room(due: number): Buffer {
    if (this.#segment === undefined || this.#used === this.#segment.length) {
      this.#seal()
      const expected = this.#pieces.length === 0 ? this.length + Math.min(due, this.length) : this.length
      const size = Math.min(Math.max(expected, SMALLEST_SEGMENT), LARGEST_SEGMENT)
      this.#segment = Buffer.allocUnsafeSlow(size)
    }
    return this.#segment
  }

  /** Ends the segment; one less than half full is replaced by a copy, so that a view behind it does not strand memory. */
  #seal(): void {
    if (this.#segment !== undefined) {
      const filled = this.#segment.subarray(0, this.#used)
      this.#pieces.push(this.#used * 2 < this.#segment.length ? isolate(filled) : filled)
    }
    this.#segment = undefined
    this.#used = 0
  }
}
