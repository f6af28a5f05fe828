import type { Duplex } from 'node:stream'
import { isolate } from '../protocol/fragments.js'
import { headerLength, MAX_HEADER_LENGTH, writeHeader, writeMaskingKey } from '../protocol/frames.js'
import { mask } from '../protocol/masking.js'
import type { FrameSequence } from './frame-sequence.js'
import type { MaskingKeys } from './masking-keys.js'
import { currentSlab, reserve, slabOffset, take } from './slab.js'
import { type Flushable, flushAfterTurn } from './turn.js'

/** Called when the octets have left the process, or with the reason why they will not. */
export type WriteCallback = (error?: Error | null) => void

/**
 * Longer payloads go out from where they are: their copies fill slabs faster than they save writes (echo of 16 KiB: 35 µs
 * a message, with a limit of 16 KiB here 47 µs; of 8 KiB: no difference).
 */
const COPY_UP_TO = 8 * 1024

/** Up to this many units a text is written where there is room for the worst case, and its length known afterwards. */
const SHORT_TEXT = 4096

const encoder = new TextEncoder()

/** UTF-8 takes at most three octets for each unit of a JavaScript string. */
const OCTETS_PER_UNIT = 3

/**
 * The frames of one connection on their way to its socket: small ones are laid one behind the other in the slab and
 * leave in one write when the turn ends; frames shared with other connections leave as the one Buffer that all of them
 * write; long payloads are not copied.
 */
export class Outbox implements Flushable {
  readonly #socket: Duplex
  readonly #keys: MaskingKeys | undefined

  /** What this turn has gathered: octets of the slab, or frames shared with others, never both. */
  #slab: Buffer | undefined
  #start = 0
  #end = 0
  #shared: FrameSequence | undefined

  #isWaiting = false
  #isCorked = false
  #callbacks: WriteCallback[] | undefined

  /** @param keys - the source of masking keys in a client; a server has none */
  constructor(socket: Duplex, keys?: MaskingKeys) {
    this.#socket = socket
    this.#keys = keys
  }

  /** Octets that the operating system has not taken yet, headers included. */
  get bufferedAmount(): number {
    return (
      this.#socket.writableLength +
      this.#end -
      this.#start +
      (this.#shared === undefined ? 0 : this.#shared.length)
    )
  }

  /** Whether frames must be masked, and so cannot be shared. */
  get isMasked(): boolean {
    return this.#keys !== undefined
  }

  /** Whether the socket is gone, so that nothing more will reach the peer. */
  get isDestroyed(): boolean {
    return this.#socket.destroyed
  }

  /** Adds a frame of what a user sends. */
  data(first: number, data: string | Buffer, callback?: WriteCallback): void {
    if (typeof data === 'string') this.text(first, data, callback)
    else this.octets(first, data, callback)
  }

  /** Adds a frame of text, encoded straight into its place. */
  text(first: number, text: string, callback?: WriteCallback): void {
    if (text.length > SHORT_TEXT) {
      this.#longText(first, text, callback)
      return
    }
    const slab = this.#open(text.length * OCTETS_PER_UNIT)
    const masked = this.#keys !== undefined
    const start = this.#end
    // As long in octets as in units, which holds for ASCII; else the text moves by the difference of the headers.
    const guess = start + headerLength(text.length) + (masked ? 4 : 0)
    const length = slab.write(text, guess)
    const payload = start + headerLength(length) + (masked ? 4 : 0)
    if (payload !== guess) slab.copyWithin(payload, guess, guess + length)
    this.#frame(slab, first, payload, length)
    if (callback !== undefined) this.#addCallback(callback)
  }

  /** Adds a frame of octets. */
  octets(first: number, octets: Uint8Array, callback?: WriteCallback): void {
    const length = octets.byteLength
    if (length > COPY_UP_TO) {
      this.#long(first, octets, callback)
      return
    }
    const slab = this.#open(length)
    const payload = this.#end + headerLength(length) + (this.#keys === undefined ? 0 : 4)
    slab.set(octets, payload)
    this.#frame(slab, first, payload, length)
    if (callback !== undefined) this.#addCallback(callback)
  }

  /** Adds a frame that other connections send as well. */
  share(frame: FrameSequence): void {
    if (this.#end > this.#start || frame.length > COPY_UP_TO) this.#spill()
    if (frame.length > COPY_UP_TO) {
      this.#cork()
      this.#socket.write(frame.join())
    } else {
      this.#shared = this.#shared === undefined ? frame : this.#shared.then(frame)
    }
    this.#wait()
  }

  /** Hands everything to the socket, in one write. */
  flush(): void {
    this.#isWaiting = false
    this.#write()
    if (this.#isCorked) {
      this.#isCorked = false
      this.#socket.uncork()
    }
  }

  /** Hands everything to the socket and sends FIN behind it. */
  end(): void {
    this.flush()
    this.#socket.end()
  }

  /** Finds room for a frame in the slab, behind the frame before it where that is there too. */
  #open(length: number): Buffer {
    reserve(length + MAX_HEADER_LENGTH)
    const slab = currentSlab()
    const offset = slabOffset()
    if (this.#slab !== slab || this.#end !== offset || this.#shared !== undefined) {
      if (this.#end > this.#start || this.#shared !== undefined) this.#spill()
      this.#slab = slab
      this.#start = this.#end = offset
    }
    return slab
  }

  /** Completes the frame whose payload stands in the slab. */
  #frame(slab: Buffer, first: number, payload: number, length: number): void {
    this.#head(slab, this.#end, first, payload, length)
    this.#end = payload + length
    take(this.#end)
    if (!this.#isWaiting) this.#wait()
  }

  /** Writes the header in front of a payload, which a client masks in its place. */
  #head(target: Buffer, start: number, first: number, payload: number, length: number): void {
    const keys = this.#keys
    const offset = writeHeader(target, start, first, length, keys !== undefined)
    if (keys === undefined) return
    const key = keys()
    writeMaskingKey(target, offset, key)
    mask(target, payload, payload + length, key)
  }

  /** A text too long to provide for its worst case in the slab: a frame in memory of its own. */
  #longText(first: number, text: string, callback?: WriteCallback): void {
    const keyLength = this.#keys === undefined ? 0 : 4
    let start = headerLength(text.length) + keyLength
    let length = text.length
    let frame = Buffer.allocUnsafeSlow(start + length)
    // As long in octets as in units, which holds for ASCII: one pass, where asking for the length first makes it two.
    if (encoder.encodeInto(text, frame.subarray(start)).read < text.length) {
      length = Buffer.byteLength(text)
      start = headerLength(length) + keyLength
      frame = Buffer.allocUnsafeSlow(start + length)
      frame.write(text, start)
    }
    this.#head(frame, 0, first, start, length)
    this.#spill()
    if (callback !== undefined) this.#addCallback(callback)
    this.#socket.write(frame, this.#takeCallbacks())
    this.#wait()
  }

  /** A payload that goes out from where it is; its header goes with the small frames before it. */
  #long(first: number, octets: Uint8Array, callback?: WriteCallback): void {
    const length = octets.byteLength
    const slab = this.#open(0)
    const start = this.#end
    let payload = octets
    this.#end = writeHeader(slab, start, first, length, this.#keys !== undefined)
    if (this.#keys !== undefined) {
      const key = this.#keys()
      this.#end = writeMaskingKey(slab, this.#end, key)
      // The octets are the caller's: they are masked in a copy.
      payload = Buffer.from(octets)
      mask(payload, 0, length, key)
    }
    take(this.#end)
    this.#spill()
    if (callback !== undefined) this.#addCallback(callback)
    this.#socket.write(payload, this.#takeCallbacks())
    this.#wait()
  }

  /** Passes on what is gathered, because what follows cannot be laid behind it; the cork makes all one write still. */
  #spill(): void {
    this.#cork()
    this.#write()
  }

  #cork(): void {
    if (this.#isCorked) return
    this.#isCorked = true
    this.#socket.cork()
  }

  #write(): void {
    const shared = this.#shared
    const octets = this.#end > this.#start ? this.#slab!.subarray(this.#start, this.#end) : undefined
    // Before the write, which may come back here: a stream within the process can deliver, and be answered, at once.
    this.#shared = undefined
    this.#slab = undefined
    this.#start = this.#end = 0
    if (shared !== undefined) this.#socket.write(shared.join(), this.#takeCallbacks())
    else if (octets !== undefined) {
      // Behind a slow reader they may wait for long: a copy, lest each hold a slab.
      this.#socket.write(this.#socket.writableLength > 0 ? isolate(octets) : octets, this.#takeCallbacks())
    }
  }

  #wait(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    flushAfterTurn(this)
  }

  #addCallback(callback: WriteCallback): void {
    if (this.#callbacks === undefined) this.#callbacks = [callback]
    else this.#callbacks.push(callback)
  }

  #takeCallbacks(): WriteCallback | undefined {
    const callbacks = this.#callbacks
    if (callbacks === undefined) return undefined
    this.#callbacks = undefined
    return (error) => {
      for (const callback of callbacks) callback(error)
    }
  }
}
