import { Fragments, isolate } from './fragments.js'
import { MAX_CONTROL_PAYLOAD } from './frames.js'

const EMPTY = Buffer.alloc(0)

/**
 * The unread rest of a chunk that needs more bytes is shorter than this. The longest is a masked control frame
 * without its last byte.
 */
const UNFINISHED_FRAME = 2 + 4 + MAX_CONTROL_PAYLOAD

/**
 * The bytes that a decoder reads: a chunk, followed by what arrived while reading was stopped. The number of times
 * that a byte is copied does not depend on how many chunks there are, and small chunks do not keep the read buffers
 * alive that they are views of.
 */
export class Intake {
  chunk: Buffer = EMPTY
  /** How far the chunk has been read. */
  offset = 0

  /** What follows the chunk, in reverse order. Both are `undefined` while there is nothing. */
  #pieces: Buffer[] | undefined
  #incoming: Fragments | undefined
  /** The number of bytes after the chunk. */
  #behind = 0

  /** The bytes of the chunk that have not been read. */
  get rest(): number {
    return this.chunk.length - this.offset
  }

  /** All bytes that have not been read. */
  get unread(): number {
    return this.rest + this.#behind
  }

  push(bytes: Buffer): void {
    if (this.rest < UNFINISHED_FRAME && this.#pieces === undefined && this.#incoming === undefined) {
      this.#append(bytes)
    } else {
      this.#incoming ??= new Fragments()
      this.#incoming.add(bytes, 0, bytes.length)
      this.#behind += bytes.length
    }
  }

  /** Appends the next piece to the rest of the chunk, which is less than a frame; `false` if there is none. */
  refill(): boolean {
    const piece = this.#shift()
    if (piece === undefined) return false
    this.#append(piece)
    return true
  }

  /** Releases the chunk, which may be a view of a read buffer, and keeps a short rest of it as a copy. */
  trim(): void {
    if (this.rest >= UNFINISHED_FRAME) return
    this.chunk = this.rest === 0 ? EMPTY : isolate(this.chunk.subarray(this.offset))
    this.offset = 0
  }

  /** Takes all that has not been read. */
  takeAll(): Buffer {
    const pieces = [this.chunk.subarray(this.offset)]
    for (let piece = this.#shift(); piece !== undefined; piece = this.#shift()) pieces.push(piece)
    this.clear()
    return Buffer.concat(pieces)
  }

  clear(): void {
    this.chunk = EMPTY
    this.offset = 0
    this.#pieces = undefined
    this.#incoming = undefined
    this.#behind = 0
  }

  #append(bytes: Buffer): void {
    this.chunk = this.rest === 0 ? bytes : Buffer.concat([this.chunk.subarray(this.offset), bytes])
    this.offset = 0
  }

  #shift(): Buffer | undefined {
    if (this.#pieces === undefined) {
      this.#pieces = this.#incoming?.takePieces().reverse()
      this.#incoming = undefined
    }
    const piece = this.#pieces?.pop()
    if (piece !== undefined) this.#behind -= piece.length
    if (this.#pieces?.length === 0) this.#pieces = undefined
    return piece
  }
}
