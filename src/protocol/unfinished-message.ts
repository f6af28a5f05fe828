import { isAscii } from 'node:buffer'
import { FIN, Opcode, RSV1 } from './opcodes.js'
import { Fragments } from './fragments.js'
import { mask, NOT_ASCII, rotateKey, unmaskInto } from './masking.js'
import { Utf8Validator } from './utf8.js'

/** An incomplete data message, and its frame that is being read. */
export class UnfinishedMessage {
  readonly isText: boolean
  readonly isCompressed: boolean
  /** The number of frames so far, including empty ones. */
  frames = 0
  /** The number of bytes that its frames have announced. */
  length = 0

  /** The number of bytes of the current frame's payload that have not arrived. */
  remaining = 0
  /** The masking key for those bytes. */
  key = 0
  /** Whether a frame is being read. */
  isInFrame = false
  /** Whether the frame that is being read ends the message. */
  isLastFrame = false

  /** Whether its text is validated as it arrives; compressed text is validated once it is inflated. */
  readonly #isValidated: boolean
  #isAscii = true
  readonly #fragments = new Fragments()
  #utf8: Utf8Validator | undefined

  /** @param first - the first byte of its first frame */
  constructor(first: number, validatesText: boolean) {
    this.isText = (first & 0x0f) === Opcode.text
    this.isCompressed = (first & RSV1) !== 0
    this.#isValidated = validatesText && this.isText && !this.isCompressed
  }

  /** Whether it is text that was validated and is all ASCII. */
  get isAscii(): boolean {
    return this.#isValidated && this.#isAscii
  }

  /** Whether the text so far ends between two characters. */
  get isWholeText(): boolean {
    return this.#utf8 === undefined || this.#utf8.complete
  }

  beginFrame(first: number, length: number, key: number): void {
    this.frames++
    this.length += length
    this.remaining = length
    this.key = key
    this.isInFrame = true
    this.isLastFrame = first >= FIN
  }

  /** Ends the current frame; `true` when the message ends with it. */
  endFrame(): boolean {
    this.isInFrame = false
    return this.isLastFrame
  }

  /**
   * Takes bytes of the current frame, which the message owns from then on; `false` if its text can no longer become valid
   * UTF-8.
   *
   * @param isMasked - whether they are unmasked on the way
   */
  add(bytes: Buffer, start: number, end: number, isMasked: boolean): boolean {
    const length = end - start
    const { key } = this
    this.remaining -= length
    this.key = rotateKey(key, length)
    const room = this.isLastFrame ? this.#fragments.reserve(length, this.remaining) : undefined
    if (room === undefined) {
      const seen = isMasked ? mask(bytes, start, end, key) : NOT_ASCII
      this.#fragments.add(bytes, start, end, this.remaining)
      return this.#validate(bytes, start, end, seen)
    }
    const { memory, offset } = room
    let seen = NOT_ASCII
    if (isMasked) seen = unmaskInto(memory, offset, bytes, start, end, key)
    else bytes.copy(memory, offset, start, end)
    return this.#validate(memory, offset, offset + length, seen)
  }

  /** The complete payload. */
  take(): Buffer {
    return this.#fragments.take()
  }

  /** @param seen - the result of `mask` for them */
  #validate(bytes: Buffer, start: number, end: number, seen: number): boolean {
    if (!this.#isValidated) return true
    const isKnownAscii = (seen & NOT_ASCII) === 0
    if (this.isWholeText && (isKnownAscii || isAscii(bytes.subarray(start, end)))) return true
    this.#isAscii = false
    this.#utf8 ??= new Utf8Validator()
    return this.#utf8.push(bytes, start, end)
  }
}
