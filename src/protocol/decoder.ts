import { constants, isUtf8 } from 'node:buffer'
import { CloseCode, isValidCloseCode } from './close-codes.js'
import { paceCollections } from './collection-pace.js'
import { ProtocolError } from './errors.js'
import { detach } from './fragments.js'
import { MAX_CONTROL_PAYLOAD, readLength64, readMaskingKey } from './frames.js'
import { Intake } from './intake.js'
import { mask, NOT_ASCII } from './masking.js'
import type { MessageInflater } from './message-inflater.js'
import { FIN, Opcode, RSV1 } from './opcodes.js'
import { UnfinishedMessage } from './unfinished-message.js'
import { isLongAscii } from './utf8.js'
import { countUnreadMessages } from './unread-messages.js'
import {
  checkFirstByte,
  closeCodeError,
  controlLengthError,
  lengthError,
  maskError,
  tooBigError,
  tooManyFragments,
  utf8Error,
} from './violations.js'

/** Receives what a {@link Decoder} reads, in order. */
export interface DecoderSink {
  /** A complete message: text as `string` (or Buffer, see `textType`), binary as Buffer. */
  onMessage(data: string | Buffer, isBinary: boolean): void
  /** A Ping frame; the payload is a copy. */
  onPing(payload: Buffer): void
  /** A Pong frame; the payload is a copy. */
  onPong(payload: Buffer): void
  /** A Close frame; the code is 1005 if it has none. It is the last call. */
  onClose(code: number, reason: string): void
  /** The peer violated the protocol. It is the last call (RFC 6455 section 7.1.7). */
  onProtocolError(error: ProtocolError): void
  /** A message that was inflated on the thread pool has been delivered or refused, and what followed it has been read. */
  onReadingOn?(): void
}

/** The options of a {@link Decoder}. One object can serve any number of decoders. */
export interface DecoderOptions {
  /** The sender of the frames: a client's must be masked, a server's must not (RFC 6455 section 5.1). */
  readonly from: 'client' | 'server'
  /** The longest message in bytes, before and after decompression; 1 MiB by default; 0 for the longest string of V8. */
  readonly maxPayload?: number
  /** The most frames of one message, including empty ones; 131,072 by default. */
  readonly maxFragments?: number
  /** Whether text is delivered without validation; `false` by default. */
  readonly skipUTF8Validation?: boolean
  /** The type of text messages; `'string'` by default. */
  readonly textType?: 'string' | 'buffer'
}

export const DEFAULT_MAX_PAYLOAD: number = 1024 * 1024
export const DEFAULT_MAX_FRAGMENTS = 131_072

/**
 * The cost of each frame for {@link Decoder.allowance}, in addition to its payload: 256 frames of a few bytes cost 1
 * MiB.
 */
export const FRAME_COST = 4096
/**
 * What each deflate stream of a compressed message costs, in addition to one unit for each byte of the message: 16 messages
 * of 1 KiB cost 1 MiB. An echo of one takes 19 µs, without compression 2.
 */
export const INFLATE_COST = 57_344

/** What a decoder holds at the owner's request. */
const HOLD_NOTHING = 0
const HOLD_MESSAGES = 1
const HOLD_ALL = 2

/**
 * Reads frames (RFC 6455 section 5) from chunks of any size and passes complete messages and control frames to its sink,
 * each before it reads the next frame. It reads a chunk in one pass and unmasks it in place. It keeps only the unfinished
 * part of a chunk.
 */
export class Decoder {
  readonly #sink: DecoderSink
  readonly #options: DecoderOptions
  readonly #limit: number
  /** Whether the frames must be masked: those of a client are (RFC 6455 section 5.1). */
  readonly #isMasked: boolean
  readonly #inflater: MessageInflater | undefined

  readonly #intake = new Intake()
  #hold: typeof HOLD_NOTHING | typeof HOLD_MESSAGES | typeof HOLD_ALL = HOLD_NOTHING
  #inflating = false
  #reading = false
  #finished = false

  /** The message that is not complete yet. */
  #message: UnfinishedMessage | undefined
  /** A message that was inflated while messages were held. */
  #heldMessage: { readonly payload: Buffer; readonly isBinary: boolean } | undefined
  /** What the message that was inflated last costs beside its bytes. */
  #inflateCost = 0

  /**
   * How much may still be read: a frame takes 4,096 units and one for each byte of its payload, a compressed message
   * 57,344 for each of its deflate streams (most have one) and one for each byte that it inflates to. At 0 or below,
   * reading stops before the next frame, so that an owner of many decoders can share out a thread's time; set a new
   * allowance and call {@link resume} to go on. `Infinity` by default.
   */
  allowance: number = Number.POSITIVE_INFINITY

  /** @param inflater - the receiving half of permessage-deflate, if that was negotiated */
  constructor(sink: DecoderSink, options: DecoderOptions, inflater?: MessageInflater) {
    this.#sink = sink
    this.#options = options
    this.#isMasked = options.from === 'client'
    const { maxPayload = DEFAULT_MAX_PAYLOAD } = options
    this.#limit = Math.min(maxPayload || constants.MAX_STRING_LENGTH, constants.MAX_STRING_LENGTH)
    this.#inflater = inflater
  }

  /** Whether reading is held: by {@link hold}, by {@link holdMessages}, or while a message is inflated. */
  get held(): boolean {
    return !this.#finished && (this.#hold !== HOLD_NOTHING || this.#inflating)
  }

  /** Whether the {@link allowance} is used up. */
  get isExhausted(): boolean {
    return !this.#finished && this.allowance <= 0
  }

  /**
   * Unread bytes while reading is stopped: held, inflating (at least 1) or out of allowance. 0 while the
   * decoder only waits for more bytes.
   */
  get heldLength(): number {
    if (this.#finished || this.#mayRead()) return 0
    return this.#inflating ? Math.max(1, this.#intake.unread) : this.#intake.unread
  }

  /**
   * Reads a chunk, or keeps it for later while reading is stopped. From then on the decoder owns the chunk: it
   * is unmasked in place, and messages may be views of it.
   */
  push(chunk: Buffer): void {
    if (this.#finished) return
    this.#intake.push(chunk)
    this.#read()
  }

  /** Stops before the next frame, also when called by the sink. A message that is being inflated is still delivered. */
  hold(): void {
    this.#hold = HOLD_ALL
  }

  /**
   * Stops before the next data frame: until then, control frames are still delivered. A message that is being inflated
   * is delivered after {@link release}.
   */
  holdMessages(): void {
    this.#hold = HOLD_MESSAGES
  }

  /** Ends {@link hold} and {@link holdMessages}, and continues to read. */
  release(): void {
    this.#hold = HOLD_NOTHING
    const message = this.#heldMessage
    if (message !== undefined) {
      this.#heldMessage = undefined
      this.#inflating = false
      this.#deliverInflated(message.payload, message.isBinary)
    }
    this.#read()
  }

  /** Continues to read with a new {@link allowance}. */
  resume(): void {
    this.#read()
  }

  /** Ends the decoder: it reads nothing more and does not call the sink again. */
  finish(): void {
    this.#finished = true
    this.#intake.clear()
    this.#message = undefined
    this.#heldMessage = undefined
  }

  /** Ends the decoder like {@link finish}, and returns how many complete data messages were still unread in it. */
  discard(): number {
    if (this.#finished) return 0
    const { remaining = 0, isLastFrame = false } = this.#message ?? {}
    const unread = countUnreadMessages(this.#intake.takeAll(), remaining, isLastFrame)
    this.finish()
    return unread + (this.#inflating ? 1 : 0)
  }

  #read(): void {
    if (this.#reading) return
    this.#reading = true
    try {
      while (this.#mayRead() && (this.#step() || this.#intake.refill()));
    } finally {
      this.#reading = false
      this.#intake.trim()
    }
  }

  #mayRead(): boolean {
    return (
      !this.#finished &&
      !this.#inflating &&
      this.allowance > 0 &&
      (this.#hold === HOLD_NOTHING || (this.#hold === HOLD_MESSAGES && !this.#isBeforeData()))
    )
  }

  /** Whether the next byte belongs to a data frame. */
  #isBeforeData(): boolean {
    if (this.#message?.isInFrame === true) return true
    const { chunk, offset } = this.#intake
    return offset < chunk.length && (chunk[offset]! & 0x08) === 0
  }

  /** Reads a frame, or the part of its payload that has arrived; `false` if more bytes are needed. */
  #step(): boolean {
    const message = this.#message
    if (message?.isInFrame === true) return this.#readPayload(message)

    const chunk = this.#intake.chunk
    let offset = this.#intake.offset + 2
    if (chunk.length < offset) return false
    const first = chunk[offset - 2]!
    const second = chunk[offset - 1]!
    const error = checkFirstByte(first, message !== undefined, this.#inflater !== undefined)
    if (error !== undefined) return this.#fail(error)
    const isMasked = second >= 0x80
    if (isMasked !== this.#isMasked) return this.#fail(maskError(isMasked))

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
    // Checked before any byte of the payload is kept, and before the rest of the header has arrived.
    if (!isControl && this.#isTooLong(length)) return this.#fail(tooBigError(this.#limit))
    let key = 0
    if (isMasked) {
      if (chunk.length - offset < 4) return false
      key = readMaskingKey(chunk, offset)
      offset += 4
    }
    return isControl ? this.#control(first, offset, length, key) : this.#data(first, offset, length, key)
  }

  #isTooLong(length: number): boolean {
    return (this.#message === undefined ? length : this.#message.length + length) > this.#limit
  }

  /** Reads a data frame, nearly always a whole message within its chunk. */
  #data(first: number, start: number, length: number, key: number): boolean {
    const chunk = this.#intake.chunk
    const end = start + length
    if (this.#message !== undefined || first < FIN || end > chunk.length) {
      this.allowance -= FRAME_COST
      this.#intake.offset = start
      return this.#beginPayload(first, length, key)
    }
    this.allowance -= FRAME_COST + length
    this.#intake.offset = end
    const seen = this.#isMasked ? mask(chunk, start, end, key) : NOT_ASCII
    const isBinary = (first & 0x0f) === Opcode.binary
    if ((first & RSV1) !== 0) this.#inflate(chunk.subarray(start, end), isBinary)
    else this.#deliver(chunk, start, end, isBinary, (seen & NOT_ASCII) === 0)
    return true
  }

  #beginPayload(first: number, length: number, key: number): boolean {
    const { maxFragments = DEFAULT_MAX_FRAGMENTS } = this.#options
    const message = (this.#message ??= new UnfinishedMessage(first, !this.#options.skipUTF8Validation))
    message.beginFrame(first, length, key)
    if (message.frames > maxFragments) return this.#fail(tooManyFragments(maxFragments))
    return this.#readPayload(message)
  }

  #readPayload(message: UnfinishedMessage): boolean {
    const start = this.#intake.offset
    const end = Math.min(start + message.remaining, this.#intake.chunk.length)
    if (end > start) {
      this.allowance -= end - start
      this.#intake.offset = end
      // The chunk and its place in the message; twice, because what is held until a message is complete outlives
      // collections. Not for a string, which brings them forward itself; with both, 1 MiB takes 1.05 to 1.2 times as long.
      if (!message.isText || this.#options.textType === 'buffer') paceCollections(4 * (end - start))
      if (!message.add(this.#intake.chunk, start, end, this.#isMasked)) return this.#fail(utf8Error())
    }
    if (message.remaining > 0) return false
    if (message.endFrame()) this.#messageEnd(message)
    return true
  }

  #messageEnd(message: UnfinishedMessage): void {
    this.#message = undefined
    const payload = message.take()
    if (message.isCompressed) this.#inflate(payload, !message.isText)
    else if (!message.isWholeText) this.#fail(utf8Error())
    else this.#handOut(payload, 0, payload.length, !message.isText, message.isAscii)
  }

  #inflate(payload: Buffer, isBinary: boolean): void {
    this.#inflating = true
    // For short messages the callback runs at once, within the loop that reads them; the others restart the loop.
    this.#inflater!.inflate(payload, this.#limit, (result, streams) => {
      if (this.#finished) return
      this.#inflateCost = streams * INFLATE_COST
      if (this.#hold === HOLD_MESSAGES && !(result instanceof ProtocolError)) {
        this.#heldMessage = { payload: result, isBinary }
        return
      }
      this.#inflating = false
      if (this.#reading) this.#takeInflated(result, isBinary)
      else this.#readOn(result, isBinary)
    })
  }

  /** Delivers a message that was inflated on the thread pool, and continues to read. */
  #readOn(result: Buffer | ProtocolError, isBinary: boolean): void {
    try {
      this.#takeInflated(result, isBinary)
    } finally {
      // Also if the sink throws: nothing else would restart the loop.
      this.#read()
      this.#sink.onReadingOn?.()
    }
  }

  #takeInflated(result: Buffer | ProtocolError, isBinary: boolean): void {
    if (result instanceof ProtocolError) this.#fail(result)
    else this.#deliverInflated(result, isBinary)
  }

  #deliverInflated(payload: Buffer, isBinary: boolean): void {
    this.allowance -= this.#inflateCost + payload.length
    const wasReading = this.#reading
    // What the sink pushes or releases in the meantime is read once it has returned.
    this.#reading = true
    try {
      this.#deliver(payload, 0, payload.length, isBinary, false)
    } finally {
      this.#reading = wasReading
    }
  }

  /** Delivers a payload that has not been validated. */
  #deliver(bytes: Buffer, start: number, end: number, isBinary: boolean, ascii: boolean): void {
    let isKnownAscii = ascii
    if (!isBinary && !ascii && !this.#options.skipUTF8Validation) {
      const text = bytes.subarray(start, end)
      isKnownAscii = isLongAscii(text)
      if (!isKnownAscii && !isUtf8(text)) return void this.#fail(utf8Error())
    }
    this.#handOut(bytes, start, end, isBinary, isKnownAscii)
  }

  #handOut(bytes: Buffer, start: number, end: number, isBinary: boolean, ascii: boolean): void {
    if (isBinary || this.#options.textType === 'buffer') {
      this.#sink.onMessage(detach(bytes, start, end), isBinary)
    } else {
      // For ASCII the two are the same; latin1 copies bytes, which is the fastest conversion.
      this.#sink.onMessage(bytes.toString(ascii ? 'latin1' : 'utf8', start, end), false)
    }
  }

  #control(first: number, start: number, length: number, key: number): boolean {
    const end = start + length
    if (end > this.#intake.chunk.length) return false
    this.allowance -= FRAME_COST + length
    this.#intake.offset = end
    if (this.#isMasked) mask(this.#intake.chunk, start, end, key)
    const opcode = first & 0x0f
    if (opcode === Opcode.close) this.#close(start, end)
    else {
      const payload = Buffer.from(this.#intake.chunk.subarray(start, end))
      if (opcode === Opcode.ping) this.#sink.onPing(payload)
      else this.#sink.onPong(payload)
    }
    return true
  }

  #close(start: number, end: number): void {
    const payload = this.#intake.chunk.subarray(start, end)
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
