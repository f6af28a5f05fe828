/** Less memory comes with enough garbage of its own: each Buffer takes about 100 bytes of the heap. */
const LEAST = 2048

/** V8 allocates arrays of 128 KiB and more elsewhere, where they bring no collection forward. */
const MOST = 256 * 1024

/**
 * How many bytes are paced. Before V8 13, and so on Node.js 20 and 22, the limit is high enough, and garbage costs
 * up to 8 %.
 */
export function pacedFrom(v8Version: string): number {
  return Number.parseInt(v8Version, 10) >= 13 ? LEAST : Number.POSITIVE_INFINITY
}
const PACED_FROM = pacedFrom(process.versions.v8)

const NOTHING: unknown[] = []
let garbage = NOTHING

/**
 * Makes V8 collect the memory of received payloads before there is much of it. That memory is outside the heap, and is
 * freed by collections of the young generation, which happen when enough was allocated in the heap. A payload that is
 * delivered as a Buffer allocates nearly nothing there. On Node.js 24 and 26 the memory outside then reaches a limit
 * first: V8 collects the whole heap 20 times a second, and payloads are in memory that is no longer in the processor's
 * cache. So this allocates a quarter as many bytes in the heap (half as many cost 6 % more). Processor time of an
 * echo on Node.js 26: 16 KiB, 28 to 20 µs; 1 MiB, 2.0 to 1.1 ms; 16 messages of 1 KiB, 3.4 to 2.1 µs each.
 *
 * @param length - the bytes outside the heap: of a chunk, of a copy of it, or of both
 */
export function paceCollections(length: number, from: number = PACED_FROM): readonly unknown[] {
  if (length >= from) {
    // First, because the allocation is what starts a collection. If 64 KiB survived each, V8 would enlarge the young
    // generation, and the limit would be reached before it is full again.
    garbage = NOTHING
    garbage = new Array<unknown>(Math.min(length, MOST) >>> 5)
  }
  // Returned, because a bundler leaves out what nothing reads.
  return garbage
}
