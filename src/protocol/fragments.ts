import { paceCollections } from './collection-pace.js'

/** Shorter pieces are always copied: a view would take more memory than it refers to. */
const VIEW_FROM = 4096

const SMALLEST_SEGMENT = 256
const LARGEST_SEGMENT = 64 * 1024

/**
 * A copy outside of Node's pool. The peer decides how long it is kept, and a few bytes in the pool would keep all of it
 * alive (8 KiB, 64 KiB since Node 24).
 */
export function isolate(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

/**
 * `bytes[start, end)` in memory that is not much larger: a view if {@link isWorthPassing} says so, else a copy. A view of
 * four bytes would keep the whole read buffer alive.
 */
export function detach(bytes: Buffer, start: number, end: number): Buffer {
  const length = end - start
  const isView = isWorthPassing(bytes, length)
  paceCollections(isView ? length : 2 * length)
  if (isView) return bytes.subarray(start, end)
  if (length >= VIEW_FROM) return isolate(bytes.subarray(start, end))
  // Node's pool is ten times faster for short copies.
  const copy = Buffer.allocUnsafe(length)
  bytes.copy(copy, 0, start, end)
  return copy
}

/**
 * Whether a message fills at least a quarter of the memory that a view would keep alive, as 16 KiB of a full read do.
 * Copying those took 11 % of the time of an echo.
 */
function isWorthPassing(bytes: Buffer, length: number): boolean {
  return length >= VIEW_FROM && length * 4 >= bytes.buffer.byteLength
}

/** The same for a piece that is held until the rest of its message arrives, which the peer can delay: half. */
function isWorthHolding(bytes: Buffer, length: number): boolean {
  return length >= VIEW_FROM && length * 2 >= bytes.buffer.byteLength
}

/** A place to write bytes to. */
interface Room {
  readonly memory: Buffer
  readonly offset: number
}

/**
 * The payload of an unfinished message. Small pieces are copied into segments that grow with the message: the
 * memory held is at most about twice the payload, whatever the sizes of frames and chunks.
 */
export class Fragments {
  /** The number of bytes held. */
  length = 0

  readonly #pieces: Buffer[] = []
  #segment: Buffer | undefined
  #used = 0

  /** @param due - bytes of the same frame that are still to come; the next segment has room for as many as are held */
  add(bytes: Buffer, start: number, end: number, due = 0): void {
    this.length += end - start
    if (isWorthHolding(bytes, end - start)) {
      this.#seal()
      this.#pieces.push(bytes.subarray(start, end))
      return
    }
    let from = start
    while (from < end) {
      const segment = this.#room(due)
      const copied = bytes.copy(segment, this.#used, from, end)
      this.#used += copied
      from += copied
    }
  }

  /**
   * Finds room for the next `length` bytes in one piece, for the caller to write them there; `undefined` when they
   * should be added. Bytes that are received in their final place are processed once. The room for all bytes of the
   * message is allocated once at least as much has arrived, so that a peer cannot reserve memory by announcing a
   * length.
   *
   * @param due - bytes of the message that follow them and complete it
   */
  reserve(length: number, due: number): Room | undefined {
    if (this.#segment === undefined || this.#segment.length - this.#used < length) {
      if (length + due > this.length) return undefined
      this.#merge(length + due)
    }
    const room = { memory: this.#segment!, offset: this.#used }
    this.#used += length
    this.length += length
    return room
  }

  /** The complete payload, in one Buffer. */
  take(): Buffer {
    const pieces = this.takePieces()
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, this.length)
  }

  /** The complete payload, in pieces. Nothing may be added afterwards. */
  takePieces(): Buffer[] {
    this.#seal()
    return this.#pieces
  }

  /** Moves all pieces to the beginning of a segment with room for this many more bytes. */
  #merge(due: number): void {
    const pieces = this.takePieces()
    const segment = Buffer.allocUnsafeSlow(this.length + due)
    let used = 0
    for (const piece of pieces) used += piece.copy(segment, used)
    pieces.length = 0
    this.#segment = segment
    this.#used = used
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

  /** Ends the segment. A copy replaces one that is less than half full, so that its rest is not wasted. */
  #seal(): void {
    if (this.#segment !== undefined) {
      const filled = this.#segment.subarray(0, this.#used)
      this.#pieces.push(this.#used * 2 < this.#segment.length ? isolate(filled) : filled)
    }
    this.#segment = undefined
    this.#used = 0
  }
}
