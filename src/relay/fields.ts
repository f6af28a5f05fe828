import { isUtf8 } from 'node:buffer'

/** Writes the fields of an envelope one after the other. Numbers are big-endian. */
export class FieldWriter {
  #bytes = Buffer.allocUnsafe(256)
  #length = 0

  get length(): number {
    return this.#length
  }

  u8(value: number): this {
    this.#reserve(1)
    this.#length = this.#bytes.writeUInt8(value, this.#length)
    return this
  }

  u16(value: number): this {
    this.#reserve(2)
    this.#length = this.#bytes.writeUInt16BE(value, this.#length)
    return this
  }

  u32(value: number): this {
    this.#reserve(4)
    this.#length = this.#bytes.writeUInt32BE(value, this.#length)
    return this
  }

  /** A number below 2^48. */
  u48(value: number): this {
    this.#reserve(6)
    this.#length = this.#bytes.writeUIntBE(value, this.#length, 6)
    return this
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
    return this
  }

  /** Text of at most 65,535 bytes, after its length. */
  text(value: string): this {
    const length = Buffer.byteLength(value)
    this.u16(length)
    this.#reserve(length)
    this.#length += this.#bytes.write(value, this.#length)
    return this
  }

  /** Everything that was written. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}

/**
 * Reads the fields of an envelope from an untrusted source. A missing field reads as 0 or empty, and `isValid` is
 * `false` from then on: one check after the last field is enough.
 */
export class FieldReader {
  readonly #bytes: Buffer
  #offset: number
  #isValid = true

  constructor(bytes: Buffer, offset = 0) {
    this.#bytes = bytes
    this.#offset = offset
  }

  /** Whether everything that was read was present. */
  get isValid(): boolean {
    return this.#isValid
  }

  /** Whether everything was present, and nothing is left. */
  get isComplete(): boolean {
    return this.#isValid && this.#offset === this.#bytes.length
  }

  get offset(): number {
    return this.#offset
  }

  u8(): number {
    return this.#take(1) ? this.#bytes.readUInt8(this.#offset - 1) : 0
  }

  u16(): number {
    return this.#take(2) ? this.#bytes.readUInt16BE(this.#offset - 2) : 0
  }

  u32(): number {
    return this.#take(4) ? this.#bytes.readUInt32BE(this.#offset - 4) : 0
  }

  u48(): number {
    return this.#take(6) ? this.#bytes.readUIntBE(this.#offset - 6, 6) : 0
  }

  bytes(count: number): Buffer {
    return this.#take(count) ? this.#bytes.subarray(this.#offset - count, this.#offset) : Buffer.alloc(0)
  }

  text(): string {
    const bytes = this.bytes(this.u16())
    if (isUtf8(bytes)) return bytes.toString()
    this.#isValid = false
    return ''
  }

  #take(count: number): boolean {
    if (!this.#isValid || this.#offset + count > this.#bytes.length) {
      this.#isValid = false
      return false
    }
    this.#offset += count
    return true
  }
}
