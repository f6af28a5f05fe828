import { constants, isAscii, isUtf8 } from 'node:buffer'
import { CloseCode, isValidCloseCode } from './close-codes.js'
import { ProtocolError } from './errors.js'
import { detach, isolate, isWorthPassing } from './fragments.js'
import { mask, SEEN_UP_TO } from './masking.js'
import type { MessageInflater } from './message-inflater.js'
import { FIN, Opcode, RSV1 } from './opcodes.js'
import { forget, remember } from './recent-text.js'
import { UnfinishedMessage } from './unfinished-message.js'
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
  /** A Close frame; 1005 where it had no code. Nothing more is found after it. */
  onClose(code: number, reason: string): void
  /** The peer broke the protocol. Nothing more is found after it (RFC 6455 section 7.1.7). */
  onProtocolError(error: ProtocolError): void
  /** A message inflated in the background has been handed out or refused, and reading went on, if not finished, behind it. */
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

  /** The message of which something is still to come. */
  #message: UnfinishedMessage | undefined

  /** @param inflater - the receiving half of permessage-deflate, where that was negotiated */
  constructor(sink: DecoderSink, options: DecoderOptions, inflater?: MessageInflater) {
    this.#sink = sink
    this.#options = options
    const { maxPayload = DEFAULT_MAX_PAYLOAD } = options
    this.#limit = Math.min(maxPayload || constants.MAX_STRING_LENGTH, constants.MAX_STRING_LENGTH)
    this.#inflater = inflater
  }

  /** Whether reading stands still: by {@link hold}, or while a message is inflated. More chunks are kept meanwhile. */
  get held(): boolean {
    return !this.#finished && (this.#held || this.#inflating)
  }

  /** The octets of an unfinished message that are held. */
  get bufferedLength(): number {
    return (this.#message?.heldLength ?? 0) + this.#chunk.length - this.#offset
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

  /** Stops before the next frame, also from within the sink; a message that is being inflated still comes. */
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
    this.#message = undefined
  }

  #read(): void {
    if (this.#reading) return
    this.#reading = true
    try {
      while (!this.#finished && !this.#held && !this.#inflating && this.#step());
    } finally {
      this.#reading = false
      forget()
      this.#keepRest()
    }
  }

  /** What is left of a chunk once nothing whole is in it (at most a header and a control payload) must not pin it. */
  #keepRest(): void {
    const rest = this.#chunk.length - this.#offset
    if (rest === 0) {
      this.#chunk = EMPTY
      this.#offset = 0
    } else if (!this.held) {
      this.#chunk = isolate(this.#chunk.subarray(this.#offset))
      this.#offset = 0
    }
  }

  /** Reads a frame, or as much of its payload as there is; `false` when it takes more octets to go on. */
  #step(): boolean {
    const message = this.#message
    if (message?.isInFrame === true) return this.#readPayload(message)

    const chunk = this.#chunk
    let offset = this.#offset + 2
    if (chunk.length < offset) return false
    const first = chunk[offset - 2]!
    const second = chunk[offset - 1]!
    const error = checkFirstOctet(first, message !== undefined, this.#inflater !== undefined)
    if (error !== undefined) return this.#fail(error)
    const isMasked = second >= 0x80
    if (isMasked !== (this.#options.from === 'client')) return this.#fail(maskError(isMasked))

    let length = second & 0x7f
    const isControl = (first & 0x08) !== 0
    if (length > MAX_CONTROL_PAYLOAD) {
      if (isControl) return this.#fail(controlLengthError())
      const head = length === 126 ? 2 : 8
      if (chunk.length - offset < head) return false
      length = head === 2 ? chunk.readUInt16BE(offset) : readLength64(chunk, offset)
      if (length < 126 || (head === 8 && length < 0x1_00_00)) return this.#fail(lengthError(length))
      offset += head
    }
    // Before an octet of the payload is kept, or the rest of the header waited for.
    if (!isControl && this.#isTooLong(length)) return this.#fail(tooBigError(this.#limit))
    let key = 0
    if (isMasked) {
      if (chunk.length - offset < 4) return false
      key = readKey(chunk, offset)
      offset += 4
    }
    return isControl ? this.#control(first, offset, length, key) : this.#data(first, offset, length, key)
  }

  #isTooLong(length: number): boolean {
    return (this.#message === undefined ? length : this.#message.length + length) > this.#limit
  }

  /** A data frame: nearly always a message by itself, whole in its chunk. */
  #data(first: number, start: number, length: number, key: number): boolean {
    const chunk = this.#chunk
    const end = start + length
    if (this.#message !== undefined || first < FIN || end > chunk.length) {
      this.#offset = start
      return this.#beginPayload(first, length, key)
    }
    this.#offset = end
    const seen = this.#unmask(start, end, key)
    const isBinary = (first & 0x0f) === Opcode.binary
    if ((first & RSV1) !== 0) this.#inflate(chunk.subarray(start, end), isBinary)
    else this.#deliver(chunk, start, end, isBinary, (seen & NOT_ASCII) === 0)
    return true
  }

  /** Unmasks what a client sent; of what a server sent it tells nothing, since it does not look at it. */
  #unmask(start: number, end: number, key: number): number {
    return this.#options.from === 'client' ? mask(this.#chunk, start, end, key) : NOT_ASCII
  }

  #beginPayload(first: number, length: number, key: number): boolean {
    const { maxFragments = DEFAULT_MAX_FRAGMENTS } = this.#options
    const message = (this.#message ??= new UnfinishedMessage(first))
    message.beginFrame(first, length, key)
    if (message.frames > maxFragments) return this.#fail(tooManyFragments(maxFragments))
    return this.#readPayload(message)
  }

  #readPayload(message: UnfinishedMessage): boolean {
    const start = this.#offset
    const end = Math.min(start + message.remaining, this.#chunk.length)
    if (end > start) {
      const seen = this.#unmask(start, end, message.key)
      this.#offset = end
      if (!this.#isValid(message, start, end, (seen & NOT_ASCII) === 0)) {
        return this.#fail(utf8Error())
      }
      message.add(this.#chunk, start, end)
    }
    if (message.remaining > 0) return false
    if (message.endFrame()) this.#messageEnd(message)
    return true
  }

  /** Text that is not compressed is validated as its octets come. */
  #isValid(message: UnfinishedMessage, start: number, end: number, isAscii: boolean): boolean {
    return this.#options.skipUTF8Validation === true || message.validate(this.#chunk, start, end, isAscii)
  }

  #messageEnd(message: UnfinishedMessage): void {
    this.#message = undefined
    const payload = message.take()
    if (message.isCompressed) this.#inflate(payload, !message.isText)
    else if (!message.isWholeText) this.#fail(utf8Error())
    else this.#handOut(payload, 0, payload.length, !message.isText, this.#isKnownAscii(message))
  }

  /** What was not validated was not looked at either. */
  #isKnownAscii(message: UnfinishedMessage): boolean {
    return message.isAscii && this.#options.skipUTF8Validation !== true
  }

  #inflate(payload: Buffer, isBinary: boolean): void {
    this.#inflating = true
    // Small messages call back at once, while the loop that reads them runs; the others have to start it again.
    this.#inflater!.inflate(payload, this.#limit, (result) => {
      this.#inflating = false
      if (this.#finished) return
      try {
        if (result instanceof ProtocolError) this.#fail(result)
        else this.#deliver(result, 0, result.length, isBinary, false)
      } finally {
        // Whatever the sink threw: nobody else would go on.
        if (!this.#reading) this.#readOn()
      }
    })
  }

  #readOn(): void {
    this.#read()
    this.#sink.onReadingOn?.()
  }

  /** Hands out a payload that nothing has looked at yet. */
  #deliver(octets: Buffer, start: number, end: number, isBinary: boolean, ascii: boolean): void {
    let isKnownAscii = ascii
    if (!isBinary && !ascii && !this.#options.skipUTF8Validation) {
      const text = octets.subarray(start, end)
      isKnownAscii = text.length > SEEN_UP_TO && isAscii(text)
      if (!isKnownAscii && !isUtf8(text)) return void this.#fail(utf8Error())
    }
    this.#handOut(octets, start, end, isBinary, isKnownAscii)
  }

  #handOut(octets: Buffer, start: number, end: number, isBinary: boolean, ascii: boolean): void {
    if (isBinary || this.#options.textType === 'buffer') {
      this.#sink.onMessage(detach(octets, start, end), isBinary)
    } else {
      // One octet a character and no decoding: the quickest call there is, and ASCII is all that it is used for.
      const text = octets.toString(ascii ? 'latin1' : 'utf8', start, end)
      // Text that was not validated may not be what its octets are.
      if (isWorthPassing(octets, end - start) && !this.#options.skipUTF8Validation) {
        remember(text, octets.subarray(start, end))
      }
      this.#sink.onMessage(text, false)
    }
  }

  #control(first: number, start: number, length: number, key: number): boolean {
    const end = start + length
    if (end > this.#chunk.length) return false
    this.#offset = end
    this.#unmask(start, end, key)
    const opcode = first & 0x0f
    if (opcode === Opcode.close) this.#close(start, end)
    else {
      const payload = Buffer.from(this.#chunk.subarray(start, end))
      if (opcode === Opcode.ping) this.#sink.onPing(payload)
      else this.#sink.onPong(payload)
    }
    return true
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

/** A masking key as an integer, its first octet in the lowest bits. */
function readKey(chunk: Buffer, offset: number): number {
  return chunk[offset]! | (chunk[offset + 1]! << 8) | (chunk[offset + 2]! << 16) | (chunk[offset + 3]! << 24)
}
