import { maskBySimd, SIMD_FROM } from './simd.js'

/** For fewer bytes, the view of words costs more than the loop over words saves. */
const WORDS_FROM = 128

/** The bits of the result of {@link mask} that are set by a byte that is not ASCII. */
export const NOT_ASCII = 0x80808080

/** A key is written here in the order of its bytes, and read in the byte order of the machine. */
const keyBytes = new DataView(new ArrayBuffer(4))
const keyWord = new Int32Array(keyBytes.buffer)

/** The size of a socket's read buffer. Larger memory is masked rarely, and the view must not keep it alive. */
const LARGEST_KEPT = 64 * 1024

/**
 * The bytes masked last and the view of their memory, which the frames of one chunk share: to read `buffer` takes 40
 * ns.
 */
let viewed: Uint8Array = new Uint8Array(keyBytes.buffer)
let words: Int32Array = keyWord

function wordsOf(bytes: Uint8Array): Int32Array {
  if (viewed === bytes) return words
  const memory = bytes.buffer
  const view = new Int32Array(memory, 0, memory.byteLength >>> 2)
  if (memory.byteLength > LARGEST_KEPT) return view
  viewed = bytes
  words = view
  return view
}

/**
 * Rotates a masking key so that it starts at its byte `count` (modulo 4): the key for the rest of a payload after its
 * first `count` bytes.
 */
export function rotateKey(key: number, count: number): number {
  const bits = (count & 3) << 3
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits))
}

/**
 * Masks or unmasks `bytes[start, end)` in place (RFC 6455 section 5.3; one operation does both).
 *
 * @param key - the masking key as an integer, its first byte in the lowest bits
 * @returns a number with a bit of `0x80808080` set if the result is not all ASCII: without it, text needs no further pass to
 *   validate its UTF-8
 */
export function mask(bytes: Uint8Array, start: number, end: number, key: number): number {
  if (end - start < WORDS_FROM) return maskBytes(bytes, start, end, key)
  if (end - start < SIMD_FROM) return maskByWords(bytes, start, end, key)
  return maskBySimd(bytes, start, bytes, start, end, key) === 0 ? 0 : NOT_ASCII
}

/**
 * Unmasks `source[start, end)` into `target` at `offset`. The source is not changed. The two must not overlap.
 *
 * @param key - as for {@link mask}
 * @returns as {@link mask}
 */
export function unmaskInto(
  target: Buffer,
  offset: number,
  source: Buffer,
  start: number,
  end: number,
  key: number,
): number {
  if (end - start >= SIMD_FROM) {
    return maskBySimd(target, offset, source, start, end, key) === 0 ? 0 : NOT_ASCII
  }
  source.copy(target, offset, start, end)
  return mask(target, offset, offset + end - start, key)
}

/** Masks as {@link mask}, by words between the first and the last few bytes. For at least 128 bytes. */
export function maskByWords(bytes: Uint8Array, start: number, end: number, key: number): number {
  const base = bytes.byteOffset
  const firstWord = (base + start + 3) >>> 2
  const lastWord = (base + end) >>> 2
  const aligned = (firstWord << 2) - base
  const rest = (lastWord << 2) - base
  const rotated = rotateKey(key, aligned - start)
  const seen = maskBytes(bytes, start, aligned, key) | maskBytes(bytes, rest, end, rotated)
  return seen | maskWords(wordsOf(bytes), firstWord, lastWord, rotated)
}

/** Takes four bytes at a time, as many as the key has. */
function maskBytes(bytes: Uint8Array, start: number, end: number, key: number): number {
  const k0 = key & 0xff
  const k1 = (key >>> 8) & 0xff
  const k2 = (key >>> 16) & 0xff
  const k3 = key >>> 24
  let seen = 0
  let index = start
  // Within bounds; a check would cost time.
  for (; index + 4 <= end; index += 4) {
    const a = (bytes[index] = bytes[index]! ^ k0)
    const b = (bytes[index + 1] = bytes[index + 1]! ^ k1)
    const c = (bytes[index + 2] = bytes[index + 2]! ^ k2)
    const d = (bytes[index + 3] = bytes[index + 3]! ^ k3)
    seen |= a | b | c | d
  }
  if (index < end) seen |= bytes[index] = bytes[index]! ^ k0
  if (index + 1 < end) seen |= bytes[index + 1] = bytes[index + 1]! ^ k1
  if (index + 2 < end) seen |= bytes[index + 2] = bytes[index + 2]! ^ k2
  return seen
}

/**
 * Takes eight words at a time. Words of 32 bits, because V8 keeps them in registers on every version of Node.js; those of a
 * BigUint64Array become objects on Node.js 24 and 26 (0.5 GB/s).
 */
function maskWords(memory: Int32Array, first: number, last: number, key: number): number {
  keyBytes.setInt32(0, key, true)
  const word = keyWord[0]!
  let seen = 0
  let index = first
  for (; index + 8 <= last; index += 8) {
    const a = (memory[index] = memory[index]! ^ word)
    const b = (memory[index + 1] = memory[index + 1]! ^ word)
    const c = (memory[index + 2] = memory[index + 2]! ^ word)
    const d = (memory[index + 3] = memory[index + 3]! ^ word)
    const e = (memory[index + 4] = memory[index + 4]! ^ word)
    const f = (memory[index + 5] = memory[index + 5]! ^ word)
    const g = (memory[index + 6] = memory[index + 6]! ^ word)
    const h = (memory[index + 7] = memory[index + 7]! ^ word)
    seen |= a | b | c | d | e | f | g | h
  }
  for (; index < last; index++) seen |= memory[index] = memory[index]! ^ word
  return seen
}
