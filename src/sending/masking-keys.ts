import { randomFillSync } from 'node:crypto'

/** Returns the masking key of a frame, its first byte in the lowest bits. */
export type MaskingKeys = () => number

const pool = new Int32Array(2048)
let left = 0

/**
 * A masking key from the system's random source, as RFC 6455 section 5.3 demands: an attacker who could predict it could
 * choose the bytes on the wire (section 10.3). Keys are drawn 2,048 at a time.
 */
export function randomMaskingKey(): number {
  if (left === 0) {
    randomFillSync(pool)
    left = pool.length
  }
  return pool[--left]!
}

/** Keys from a function that fills four bytes, for tests that need to know them. */
export function maskingKeysFrom(fill: (bytes: Buffer) => void): MaskingKeys {
  const bytes = Buffer.alloc(4)
  return () => {
    fill(bytes)
    return bytes.readInt32LE(0)
  }
}
