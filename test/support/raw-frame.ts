/** Opcodes by the names of RFC 6455 section 5.2. Tests write reserved ones as numbers. */
export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** A frame to be sent: any combination of fields, valid or not. */
export interface RawFrame {
  readonly opcode: number
  readonly payload: Buffer
  readonly fin: boolean
  /** The three reserved bits as one number: RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv: number
}

/** A frame that was received, with the properties that the sender may have got wrong. */
export interface ReceivedFrame extends RawFrame {
  readonly masked: boolean
  /** Whether the length has the shortest possible form. */
  readonly minimalLength: boolean
}

function maskInPlace(bytes: Buffer, key: Buffer): void {
  const [first = 0, second = 0, third = 0, fourth = 0] = key
  const keys = [first, second, third, fourth]
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = (bytes[index] ?? 0) ^ (keys[index & 3] ?? 0)
  }
}

/** The parts of a frame (RFC 6455 section 5.2), each of which may be wrong. */
export interface FrameParts {
  readonly opcode: number
  readonly payload?: string | Uint8Array
  readonly fin?: boolean
  /** The three reserved bits as one number: RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv?: number
  /** The masking key; `undefined` leaves the frame unmasked. */
  readonly key?: readonly number[] | Uint8Array | undefined
  /** The length in the header, if it is not the payload's. */
  readonly length?: bigint
  /** The size of the length field in bits, if it is not the shortest possible. */
  readonly form?: 7 | 16 | 64
}

/** The key of the example in RFC 6455 section 5.7. */
const EXAMPLE_KEY = [0x37, 0xfa, 0x21, 0x3d]

/** Encodes a frame without any code of the library. */
export function frameBytes(parts: FrameParts): Buffer {
  const { opcode, payload = '', fin = true, rsv = 0, key } = parts
  // A copy, so that masking leaves the caller's bytes alone.
  const bytes = Buffer.from(payload as string)
  const length = parts.length ?? BigInt(bytes.length)
  const form = parts.form ?? (length < 126n ? 7 : length < 65_536n ? 16 : 64)
  const extended = Buffer.alloc(form === 7 ? 0 : form / 8)
  if (form === 16) extended.writeUInt16BE(Number(length))
  if (form === 64) extended.writeBigUInt64BE(length)
  const short = form === 7 ? Number(length) : form === 16 ? 126 : 127
  const start = Buffer.of((fin ? 0x80 : 0) | (rsv << 4) | opcode, (key === undefined ? 0 : 0x80) | short)
  if (key === undefined) return Buffer.concat([start, extended, bytes])
  const keyBytes = Buffer.from(key)
  maskInPlace(bytes, keyBytes)
  return Buffer.concat([start, extended, keyBytes, bytes])
}

/** Encodes a frame as a client sends it: masked, with the key of RFC 6455 section 5.7 unless another is given. */
export function clientFrame(parts: FrameParts): Buffer {
  return frameBytes({ key: EXAMPLE_KEY, ...parts })
}

/** The frames of a client, one after the other. */
export function clientFrames(...frames: readonly FrameParts[]): Buffer {
  return Buffer.concat(frames.map((parts) => clientFrame(parts)))
}

interface Header {
  readonly opcode: number
  readonly fin: boolean
  readonly rsv: number
  readonly masked: boolean
  readonly minimalLength: boolean
  readonly size: number
  readonly length: number
}

function readHeader(bytes: Buffer): Header | undefined {
  if (bytes.length < 2) return undefined
  const start = bytes.readUInt8(0)
  const second = bytes.readUInt8(1)
  const masked = second >= 0x80
  const short = second & 0x7f
  const extension = short === 127 ? 8 : short === 126 ? 2 : 0
  const size = 2 + extension + (masked ? 4 : 0)
  if (bytes.length < size) return undefined
  const length =
    extension === 8 ? Number(bytes.readBigUInt64BE(2)) : extension === 2 ? bytes.readUInt16BE(2) : short
  const minimalLength = length >= (extension === 8 ? 65_536 : extension === 2 ? 126 : 0)
  return {
    opcode: start & 0x0f,
    fin: start >= 0x80,
    rsv: (start >> 4) & 7,
    masked,
    minimalLength,
    size,
    length,
  }
}

/**
 * Splits a stream of bytes into frames. It shares no code with the library, so that a mistake there cannot
 * cancel itself out here. It validates nothing: frames are returned as they were sent.
 */
export class FrameReader {
  #chunks: Buffer[] = []
  #held = 0
  #needed = 2

  /** Takes the next bytes and returns the frames that they complete. */
  push(chunk: Buffer): ReceivedFrame[] {
    this.#chunks.push(chunk)
    this.#held += chunk.length
    const frames: ReceivedFrame[] = []
    // Joined only when a frame can be completed, so that a large frame in many chunks is copied once.
    while (this.#held >= this.#needed) {
      const bytes = this.#chunks.length === 1 ? (this.#chunks[0] ?? chunk) : Buffer.concat(this.#chunks)
      const frame = this.#take(bytes)
      if (frame !== undefined) frames.push(frame)
    }
    return frames
  }

  #take(bytes: Buffer): ReceivedFrame | undefined {
    const header = readHeader(bytes)
    const end = header === undefined ? bytes.length + 1 : header.size + header.length
    if (header === undefined || bytes.length < end) {
      this.#chunks = [bytes]
      this.#needed = end
      return undefined
    }
    const payload = Buffer.from(bytes.subarray(header.size, end))
    if (header.masked) maskInPlace(payload, bytes.subarray(header.size - 4, header.size))
    const rest = bytes.subarray(end)
    this.#chunks = [rest]
    this.#held = rest.length
    this.#needed = 2
    const { opcode, fin, rsv, masked, minimalLength } = header
    return { opcode, payload, fin, rsv, masked, minimalLength }
  }
}
