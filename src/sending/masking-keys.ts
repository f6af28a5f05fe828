import { randomFillSync } from 'node:crypto'

/** Gives the masking key of a frame, its first octet in the lowest bits. */
export type MaskingKeys = () => number

const pool = new Int32Array(2048)
let left = 0

/**
 * Masking keys from the system's random source, as RFC 6455 section 5.3 demands: what an attacker cannot foresee he
 * cannot turn into octets of his choice on the wire (section 10.3). Drawn 2,048 at a time.
 */
export function randomMaskingKey(): number {
  if (left === 0) {
    randomFillSync(pool)
    left = pool.length
  }
  return pool[--left]!
}

/** Keys from a function that fills four octets, for tests which need to know them. */
export function maskingKeysFrom(fill: (octets: Buffer) => void): MaskingKeys {
  const octets = Buffer.alloc(4)
  return () => {
    fill(octets)
    return octets.readInt32LE(0)
  }
}
