/** Bytes that do not compress, the same at each call with the same seed. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length)
  let state = seed
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[index] = state >>> 16
  }
  return bytes
}

/** JSON that compresses well, and better with context takeover. */
export function records(count: number, seed = 1): Buffer {
  const list = Array.from({ length: count }, (_, index) => ({
    id: seed * 1000 + index,
    name: `member-${index}`,
    token: noise(6, seed * 7919 + index).toString('hex'),
    text: 'The quick brown fox jumps over the lazy dog',
  }))
  return Buffer.from(JSON.stringify(list))
}
