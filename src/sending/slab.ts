const SLAB_SIZE = 64 * 1024

/**
 * Memory that small frames of all connections share: written one after the other, they leave in one write. A byte is
 * handed out again only when the operating system has copied every byte of the slab, so nothing in flight can be
 * overwritten and nothing of one connection can reach another. The memory is freed when the last write that refers to
 * it is done.
 */
export class Slab {
  readonly memory: Buffer = Buffer.allocUnsafeSlow(SLAB_SIZE)
  /** The offset of the free bytes. Move it after writing there. */
  used = 0
  /** Bytes among the used ones that the operating system has copied, and that nothing refers to any more. */
  #copied = 0

  /** The operating system has copied bytes of the slab. When it has copied all, the slab begins anew. */
  giveBack(length: number): void {
    this.#copied += length
    if (this.#copied === this.used) this.used = this.#copied = 0
  }
}

let current = new Slab()

/** The current slab if it has `length` free bytes, otherwise a new one. */
export function slabWithRoomFor(length: number): Slab {
  if (SLAB_SIZE - current.used < length) current = new Slab()
  return current
}
