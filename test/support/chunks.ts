/**
 * Splits bytes into chunks of these sizes, repeated in a cycle. Each chunk has its own memory and starts at
 * a different offset in it, as a chunk from a socket or a TLS record may.
 */
export function inChunks(bytes: Uint8Array, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let start = 0
  for (let turn = 0; start < bytes.length; turn++) {
    const end = Math.min(bytes.length, start + sizes[turn % sizes.length]!)
    const margin = turn % 9
    const memory = Buffer.alloc(margin + end - start)
    memory.set(bytes.subarray(start, end), margin)
    chunks.push(memory.subarray(margin))
    start = end
  }
  return chunks
}
