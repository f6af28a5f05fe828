/** The parts of a frame (RFC 6455 section 5.2), each of which may be wrong. */
export interface FrameParts {
  readonly opcode: number
  readonly payload?: string | Uint8Array
  readonly fin?: boolean
  /** The three reserved bits as one number: RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv?: number
  /** The masking key; `undefined` leaves the frame unmasked. */
  readonly key?: readonly number[] | undefined
  /** The length that the header states, where it is not the payload's. */
  readonly length?: bigint
  /** The bits of the length's form, where it is not the shortest. */
  readonly form?: 7 | 16 | 64
}

/** The bytes of a frame, by the letter and slowly: nothing here is the library's. */
export function frameBytes(parts: FrameParts): Buffer {
  const { opcode, payload = '', fin = true, rsv = 0, key } = parts
  const bytes = Buffer.from(payload as string)
  const length = parts.length ?? BigInt(bytes.length)
  const form = parts.form ?? (length < 126n ? 7 : length < 65_536n ? 16 : 64)
  const extended = Buffer.alloc(form === 7 ? 0 : form / 8)
  if (form === 16) extended.writeUInt16BE(Number(length))
  if (form === 64) extended.writeBigUInt64BE(length)
  const short = form === 7 ? Number(length) : form === 16 ? 126 : 127
  const header = [(fin ? 0x80 : 0) | (rsv << 4) | opcode, (key === undefined ? 0 : 0x80) | short, ...extended]
  return Buffer.from([...header, ...(key ?? []), ...masked(bytes, key)])
}

/** The key of the example in RFC 6455 section 5.7. */
const EXAMPLE_KEY = [0x37, 0xfa, 0x21, 0x3d]

/** A frame as a client sends it: masked. */
export function clientFrame(parts: FrameParts): Buffer {
  return frameBytes({ key: EXAMPLE_KEY, ...parts })
}

function masked(bytes: Buffer, key: readonly number[] | undefined): Uint8Array {
  return key === undefined ? bytes : bytes.map((byte, index) => byte ^ key[index % 4]!)
}
