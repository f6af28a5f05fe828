/**
 * Shared memory for small frames: laid one behind the other, they leave in one write. Octets are handed out once and
 * never again, so nothing in flight can be written over and nothing of one connection can reach another; the memory
 * goes back when the last write that refers to it is done.
 */
const SLAB_SIZE = 64 * 1024

let slab = Buffer.allocUnsafeSlow(SLAB_SIZE)
let used = 0

/** Makes sure that `length` octets in a row are free, in a new slab where the old one has too few left. */
export function reserve(length: number): void {
  if (SLAB_SIZE - used >= length) return
  slab = Buffer.allocUnsafeSlow(SLAB_SIZE)
  used = 0
}

/** The slab that {@link reserve} found room in. */
export function currentSlab(): Buffer {
  return slab
}

/** Where its free octets begin. */
export function slabOffset(): number {
  return used
}

/** Marks the octets before `end` as taken. */
export function take(end: number): void {
  used = end
}
