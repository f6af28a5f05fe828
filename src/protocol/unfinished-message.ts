import { isAscii } from 'node:buffer'
import { FIN, Opcode, RSV1 } from './opcodes.js'
import { Fragments } from './fragments.js'
import { rotateKey } from './masking.js'
import { Utf8Validator } from './utf8.js'

/** A data message of which something is still to come, and the frame of it that is being read. */
export class UnfinishedMessage {
  readonly isText: boolean
  readonly isCompressed: boolean
  /** Its frames so far, empty ones included. */
  frames = 0
  /** The octets that its frames have announced. */
  length = 0

  /** Octets of the current frame's payload that have not come. */
  remaining = 0
  /** The masking key for those octets. */
  key = 0
  /** Whether a frame is being read. */
  isInFrame = false
  #isLastFrame = false

  #isAscii = true
  readonly #fragments = new Fragments()
  #utf8: Utf8Validator | undefined

  /** @param first - the first octet of its first frame */
  constructor(first: number) {
    this.isText = (first & 0x0f) === Opcode.text
    this.isCompressed = (first & RSV1) !== 0
  }

  /** Whether all octets so far were ASCII; only of text that is not compressed. */
  get isAscii(): boolean {
    return this.#isAscii
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
    this.#isLastFrame = first >= FIN
  }

  /** Ends the current frame; `true` when the message ends with it. */
  endFrame(): boolean {
    this.isInFrame = false
    return this.#isLastFrame
  }

  /** Takes unmasked octets of the current frame; they are valid or not by {@link validate}. */
  add(octets: Buffer, start: number, end: number): void {
    this.remaining -= end - start
    this.key = rotateKey(this.key, end - start)
    this.#fragments.add(octets, start, end, this.remaining)
  }

  /** Whether text that is not compressed can still become valid UTF-8. */
  validate(octets: Buffer, start: number, end: number, isKnownAscii: boolean): boolean {
    if (!this.isText || this.isCompressed) return true
    if (this.isWholeText && (isKnownAscii || isAscii(octets.subarray(start, end)))) return true
    this.#isAscii = false
    this.#utf8 ??= new Utf8Validator()
    return this.#utf8.push(octets, start, end)
  }

  /** The octets held. */
  get heldLength(): number {
    return this.#fragments.length
  }

  /** The whole payload. */
  take(): Buffer {
    return this.#fragments.take()
  }
}
