import { constants, isUtf8 } from 'node:buffer'
import { CloseCode, isValidCloseCode } from './close-codes.js'
import { ProtocolError } from './errors.js'
import { detach, Fragments } from './fragments.js'
import { mask, rotateKey } from './masking.js'
import type { MessageInflater } from './message-inflater.js'
import { FIN, Opcode, RSV1 } from './opcodes.js'
import { Utf8Validator } from './utf8.js'
import {
  checkFirstOctet,
  closeCodeError,
  controlLengthError,
  lengthError,
  maskError,
  tooBigError,
  tooManyFragments,
  utf8Error,
} from './violations.js'

/** What a {@link Decoder} finds, in the order of the octets. */
export interface DecoderSink {
  /** A whole message: text as `string` (or Buffer, by `textType`), binary as Buffer. */
  onMessage(data: string | Buffer, isBinary: boolean): void
  /** A Ping frame; the payload is the receiver's own memory. */
  onPing(payload: Buffer): void
  /** A Pong frame. */
  onPong(payload: Buffer): void
  /** A Close frame; 1005 where it had no code. Nothing is called after it. */
  onClose(code: number, reason: string): void
  /** The peer broke the protocol. Nothing is called after it (RFC 6455 section 7.1.7). */
  onProtocolError(error: ProtocolError): void
  /** A message that was inflated in the background has been handed out, and reading went on behind it. */
  onReadingOn?(): void
}

/** How a {@link Decoder} reads; one object can serve any number of decoders. */
export interface DecoderOptions {
  /** Whose frames these are: a client's must be masked, a server's must not (RFC 6455 section 5.1). */
  readonly from: 'client' | 'server'
  /** The longest message in octets, before and after decompression; 1 MiB by default, 0 for none but the engine's. */
  readonly maxPayload?: number
  /** The most frames, empty ones included, that one message may have; 131,072 by default. */
  readonly maxFragments?: number
  /** Takes text as it comes; `false` by default. */
  readonly skipUTF8Validation?: boolean
  /** What a text message is handed out as; `'string'` by default. */
  readonly textType?: 'string' | 'buffer'
}

export const DEFAULT_MAX_PAYLOAD: number = 1024 * 1024
export const DEFAULT_MAX_FRAGMENTS = 131_072

const EMPTY = Buffer.alloc(0)
const NOT_ASCII = 0x80808080
const MAX_CONTROL_PAYLOAD = 125
const BETWEEN_FRAMES = -1

/**
 * Reads frames (RFC 6455 section 5) from chunks of any size and hands whole messages and control frames to its sink,
 * each before the next frame is looked at. A chunk is read in one pass and unmasked in place; of what a chunk leaves
 * unfinished only that is kept.
 */
export class Decoder {
  readonly #sink: DecoderSink
  readonly #options: DecoderOptions
  readonly #limit: number
  readonly #inflater: MessageInflater | undefined

  /** The octets being read, and how far they are. */
  #chunk: Buffer = EMPTY
  #offset = 0
  #held = false
  #inflating = false
  #reading = false
  #finished = false

  /** The data frame whose payload is being read: its first octet (0 in a fragment in the middle), or BETWEEN_FRAMES. */
  #first = BETWEEN_FRAMES
  #remaining = 0
  #key = 0

  /** The message being read: its first frame's first octet, or 0 between messages. */
  #message = 0
  #frames = 0
  #length = 0
  #ascii = true
  #fragments: Fragments | undefined
  #utf8: Utf8Validator | undefined

  /** @param inflater - the receiving half of permessage-deflate, where that was negotiated */
  constructor(sink: DecoderSink, options: DecoderOptions, inflater?: MessageInflater) {
    this.#sink = sink
    this.#options = options
    this.#limit = options.maxPayload || constants.MAX_STRING_LENGTH
    this.#inflater = inflater
  }

  /** Whether reading stands still: by {@link hold}, or while a message is inflated. More chunks are kept meanwhile. */
  get held(): boolean {
    return !this.#finished && (this.#held || this.#inflating)
  }

  /** The octets of an unfinished message that are held. */
  get bufferedLength(): number {
    return (this.#fragments?.length ?? 0) + this.#chunk.length - this.#offset
  }

  /**
   * Reads a chunk. It belongs to the decoder from here on: it is unmasked in place, and messages may be views of it.
   */
  push(chunk: Buffer): void {
    if (this.#finished) return
    const rest = this.#chunk.length - this.#offset
    this.#chunk = rest === 0 ? chunk : Buffer.concat([this.#chunk.subarray(this.#offset), chunk])
    this.#offset = 0
    this.#read()
  }

  /** Stops before the next frame, also from within the sink. */
  hold(): void {
    this.#held = true
  }

  /** Goes on after {@link hold}. */
  release(): void {
    this.#held = false
    this.#read()
  }

  /** Nothing more is read and the sink is called no more. */
  finish(): void {
    this.#finished = true
    this.#chunk = EMPTY
    this.#offset = 0
    this.#endMessage()
  }

  #read(): void {
    if (this.#reading) return
    this.#reading = true
    try {
      while (!this.#finished && !this.#held && !this.#inflating && this.#step());
    } finally {
      this.#reading = false
      this.#keepRest()
    }
  }

  /** What is left of a chunk once nothing whole is in it (at most a header and a control payload) must not pin it. */
  #keepRest(): void {
    const rest = this.#chunk.length - this.#offset
    if (rest === 0) {
      this.#chunk = EMPTY
      this.#offset = 0
    } else if (!this.held && this.#offset > 0) {
      this.#chunk = Buffer.from(this.#chunk.subarray(this.#offset))
      this.#offset = 0
    }
  }

  /** Reads a frame, or as much of its payload as there is; `false` when it takes more octets to go on. */
  #step(): boolean {
    if (this.#first !== BETWEEN_FRAMES) return this.#readPayload()

    const chunk = this.#chunk
    const start = this.#offset
    if (chunk.length - start < 2) return false
    const first = chunk[start]!
    const second = chunk[start + 1]!
    const error = checkFirstOctet(first, this.#message !== 0, this.#inflater !== undefined)
    if (error !== undefined) return this.#fail(error)
    const masked = second >= 0x80
    if (masked !== (this.#options.from === 'client')) return this.#fail(maskError(masked))

    let length = second & 0x7f
    let offset = start + 2
    if (length > MAX_CONTROL_PAYLOAD) {
      if ((first & 0x08) !== 0) return this.#fail(controlLengthError())
      const head = length === 126 ? 2 : 8
      if (chunk.length - offset < head) return false
      length = head === 2 ? chunk.readUInt16BE(offset) : readLength64(chunk, offset)
      if (length < 126 || (head === 8 && length < 0x1_00_00)) return this.#fail(lengthError(length))
      offset += head
    }
    // Before an octet of the payload is kept, or the rest of the header waited for.
    if ((first & 0x08) === 0 && this.#length + length > this.#limit)
      return this.#fail(tooBigError(this.#limit))
    let key = 0
    if (masked) {
      if (chunk.length - offset < 4) return false
      key =
        chunk[offset]! | (chunk[offset + 1]! << 8) | (chunk[offset + 2]! << 16) | (chunk[offset + 3]! << 24)
      offset += 4
    }

    const end = offset + length
    if ((first & 0x08) !== 0) {
      if (end > chunk.length) return false
      this.#offset = end
      if (masked) mask(chunk, offset, end, key)
      this.#control(first & 0x0f, offset, end)
    } else if (this.#message === 0 && first >= FIN && end <= chunk.length) {
      this.#offset = end
      const seen = masked ? mask(chunk, offset, end, key) : NOT_ASCII
      const isBinary = (first & 0x0f) === Opcode.binary
      if ((first & RSV1) !== 0) this.#inflate(chunk.subarray(offset, end), isBinary)
      else this.#deliver(chunk, offset, end, isBinary, (seen & NOT_ASCII) === 0)
    } else {
      this.#offset = offset
      return this.#beginPayload(first, length, key)
    }
    return true
  }

  #beginPayload(first: number, length: number, key: number): boolean {
    const { maxFragments = DEFAULT_MAX_FRAGMENTS } = this.#options
    if (++this.#frames > maxFragments) return this.#fail(tooManyFragments(maxFragments))
    if (this.#message === 0) this.#message = first
    this.#length += length
    this.#first = first
    this.#remaining = length
    this.#key = key
    return this.#readPayload()
  }

  #readPayload(): boolean {
    const chunk = this.#chunk
    const start = this.#offset
    const count = Math.min(this.#remaining, chunk.length - start)
    if (count > 0) {
      const end = start + count
      const fromClient = this.#options.from === 'client'
      const seen = fromClient ? mask(chunk, start, end, this.#key) : NOT_ASCII
      this.#offset = end
      this.#remaining -= count
      this.#key = rotateKey(this.#key, count)
      if (!this.#validate(chunk, start, end, (seen & NOT_ASCII) === 0)) return this.#fail(utf8Error())
      this.#fragments ??= new Fragments()
      this.#fragments.add(chunk, start, end)
    }
    if (this.#remaining > 0) return false

    const fin = this.#first >= FIN
    this.#first = BETWEEN_FRAMES
    if (fin) this.#messageEnd()
    return true
  }

  /** Text that is not compressed is validated as its octets come. */
  #validate(chunk: Buffer, start: number, end: number, ascii: boolean): boolean {
    if ((this.#message & 0x0f) !== Opcode.text || (this.#message & RSV1) !== 0) return true
    if (ascii && this.#utf8?.complete !== false) return true
    this.#ascii = false
    if (this.#options.skipUTF8Validation) return true
    this.#utf8 ??= new Utf8Validator()
    return this.#utf8.push(chunk, start, end)
  }

  #messageEnd(): void {
    const isBinary = (this.#message & 0x0f) === Opcode.binary
    const payload = this.#fragments?.take() ?? EMPTY
    const ascii = this.#ascii
    const complete = this.#utf8?.complete !== false
    const compressed = (this.#message & RSV1) !== 0
    this.#endMessage()
    if (compressed) this.#inflate(payload, isBinary)
    else if (!complete) this.#fail(utf8Error())
    else this.#handOut(payload, 0, payload.length, isBinary, ascii)
  }

  #endMessage(): void {
    this.#message = 0
    this.#frames = 0
    this.#length = 0
    this.#ascii = true
    this.#fragments = undefined
    this.#utf8 = undefined
  }

  #inflate(payload: Buffer, isBinary: boolean): void {
    this.#inflating = true
    // Small messages call back at once, while the loop that reads them runs; the others have to start it again.
    this.#inflater!.inflate(payload, this.#limit, (result) => {
      this.#inflating = false
      if (this.#finished) return
      if (result instanceof ProtocolError) this.#fail(result)
      else this.#deliver(result, 0, result.length, isBinary, false)
      if (this.#reading) return
      this.#read()
      this.#sink.onReadingOn?.()
    })
  }

  /** Hands out a payload that nothing has looked at yet. */
  #deliver(octets: Buffer, start: number, end: number, isBinary: boolean, ascii: boolean): void {
    const unchecked = !isBinary && !ascii && !this.#options.skipUTF8Validation
    if (unchecked && !isUtf8(octets.subarray(start, end))) this.#fail(utf8Error())
    else this.#handOut(octets, start, end, isBinary, ascii)
  }

  #handOut(octets: Buffer, start: number, end: number, isBinary: boolean, ascii: boolean): void {
    if (isBinary || this.#options.textType === 'buffer') {
      this.#sink.onMessage(detach(octets, start, end), isBinary)
    } else {
      // One octet a character and no decoding: the quickest call there is, and ASCII is all that it is used for.
      this.#sink.onMessage(octets.toString(ascii ? 'latin1' : 'utf8', start, end), false)
    }
  }

  #control(opcode: number, start: number, end: number): void {
    if (opcode === Opcode.close) this.#close(start, end)
    else {
      const payload = Buffer.from(this.#chunk.subarray(start, end))
      if (opcode === Opcode.ping) this.#sink.onPing(payload)
      else this.#sink.onPong(payload)
    }
  }

  #close(start: number, end: number): void {
    const payload = this.#chunk.subarray(start, end)
    if (payload.length === 1) return void this.#fail(controlLengthError())
    const code = payload.length === 0 ? CloseCode.noStatus : payload.readUInt16BE(0)
    if (payload.length > 0 && !isValidCloseCode(code)) return void this.#fail(closeCodeError(code))
    const reason = payload.subarray(2)
    if (!isUtf8(reason)) return void this.#fail(utf8Error())
    const text = reason.toString()
    this.finish()
    this.#sink.onClose(code, text)
  }

  #fail(error: ProtocolError): false {
    this.finish()
    this.#sink.onProtocolError(error)
    return false
  }
}

/** A 64-bit length: its upper half is looked at before both make a number; -1 when its top bit is set. */
function readLength64(chunk: Buffer, offset: number): number {
  const upper = chunk.readUInt32BE(offset)
  return upper >= 0x8000_0000 ? -1 : upper * 0x1_0000_0000 + chunk.readUInt32BE(offset + 4)
}
