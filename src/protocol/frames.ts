import { mask } from './masking.js'
import { FIN, RSV1 } from './opcodes.js'

/** The longest header: two bytes, a 64-bit length and a masking key. */
export const MAX_HEADER_LENGTH = 14

/** The longest payload of a control frame, in bytes (RFC 6455 section 5.5). */
export const MAX_CONTROL_PAYLOAD = 125

const MASK = 0x80
const LENGTH_16 = 126
const LENGTH_64 = 127

/** The length of a frame's header in bytes, without the masking key (RFC 6455 section 5.2). */
export function headerLength(payloadLength: number): number {
  return payloadLength < LENGTH_16 ? 2 : payloadLength < 0x1_00_00 ? 4 : 10
}

/**
 * Writes a frame's header at `offset` and returns the offset after it.
 *
 * @param first - the first byte: FIN, reserved bits and opcode
 * @param masked - whether a masking key follows; it is not written here
 */
export function writeHeader(
  target: Uint8Array,
  offset: number,
  first: number,
  payloadLength: number,
  masked: boolean,
): number {
  const bit = masked ? MASK : 0
  target[offset] = first
  if (payloadLength < LENGTH_16) {
    target[offset + 1] = bit | payloadLength
    return offset + 2
  }
  if (payloadLength < 0x1_00_00) {
    target[offset + 1] = bit | LENGTH_16
    target[offset + 2] = payloadLength >>> 8
    target[offset + 3] = payloadLength
    return offset + 4
  }
  target[offset + 1] = bit | LENGTH_64
  writeWord(target, offset + 2, Math.floor(payloadLength / 0x1_0000_0000))
  writeWord(target, offset + 6, payloadLength >>> 0)
  return offset + 10
}

function writeWord(target: Uint8Array, offset: number, word: number): void {
  target[offset] = word >>> 24
  target[offset + 1] = word >>> 16
  target[offset + 2] = word >>> 8
  target[offset + 3] = word
}

/** Writes a masking key, its first byte in the lowest bits, and returns the offset after it. */
export function writeMaskingKey(target: Uint8Array, offset: number, key: number): number {
  target[offset] = key
  target[offset + 1] = key >>> 8
  target[offset + 2] = key >>> 16
  target[offset + 3] = key >>> 24
  return offset + 4
}

/** Reads a masking key, its first byte in the lowest bits. */
export function readMaskingKey(source: Buffer, offset: number): number {
  return (
    source[offset]! | (source[offset + 1]! << 8) | (source[offset + 2]! << 16) | (source[offset + 3]! << 24)
  )
}

/** Reads a 64-bit payload length; -1 if its most significant bit is set, which RFC 6455 section 5.2 forbids. */
export function readLength64(source: Buffer, offset: number): number {
  const upper = source.readUInt32BE(offset)
  return upper >= 0x8000_0000 ? -1 : upper * 0x1_0000_0000 + source.readUInt32BE(offset + 4)
}

/** The offset of the payload in an unmasked frame from {@link encodeFrame}. */
export function payloadStart(frame: Uint8Array): number {
  const length = frame[1]!
  return length < LENGTH_16 ? 2 : length === LENGTH_16 ? 4 : 10
}

/** The options of {@link encodeFrame}. */
export interface FrameOptions {
  /** One of {@link Opcode}. */
  opcode: number
  /** Whether this is the last fragment of its message; `true` by default. */
  fin?: boolean
  /** Sets the bit that marks a compressed message (RFC 7692 section 6); `false` by default. */
  rsv1?: boolean
  /** Four bytes; required in a client's frames and forbidden in a server's (RFC 6455 section 5.1). */
  maskingKey?: Uint8Array
}

/**
 * Encodes one frame (RFC 6455 section 5.2) into a new Buffer.
 *
 * @param payload - text is encoded as UTF-8; bytes are copied and left as they are
 * @throws TypeError when the payload has another type
 * @throws RangeError when the masking key does not have four bytes
 */
export function encodeFrame(payload: string | Uint8Array, options: FrameOptions): Buffer {
  const { opcode, fin = true, rsv1 = false, maskingKey } = options
  if (typeof payload !== 'string' && !(payload instanceof Uint8Array)) {
    // The length of other types differs from what would be copied: the rest would be uninitialized memory.
    throw new TypeError('The payload of a frame must be a string, a Buffer or a Uint8Array')
  }
  if (maskingKey !== undefined && maskingKey.length !== 4) {
    throw new RangeError(`A masking key has 4 bytes; this one has ${maskingKey.length}`)
  }
  const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength
  const start = headerLength(length) + (maskingKey === undefined ? 0 : 4)
  const frame = Buffer.allocUnsafe(start + length)
  const offset = writeHeader(
    frame,
    0,
    opcode | (fin ? FIN : 0) | (rsv1 ? RSV1 : 0),
    length,
    maskingKey !== undefined,
  )
  if (typeof payload === 'string') frame.write(payload, start)
  else frame.set(payload, start)
  if (maskingKey !== undefined) {
    frame.set(maskingKey, offset)
    mask(frame, start, start + length, frame.readInt32LE(offset))
  }
  return frame
}
