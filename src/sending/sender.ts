import type { Duplex } from 'node:stream'
import { toError } from '../options/thrown.js'
import type { MessageDeflater } from '../protocol/message-deflater.js'
import { FIN, Opcode } from '../protocol/opcodes.js'
import { closingError, slowPeerError } from './connection-error.js'
import type { FrameSequence } from './frame-sequence.js'
import type { MaskingKeys } from './masking-keys.js'
import { type MessageOptions, MessageWriter, type WriterOwner } from './message-writer.js'
import { Outbox, type OutboxOwner } from './outbox.js'
import type { PreparedMessage } from './prepared-message.js'
import {
  bindCallback,
  type Reason,
  runLater,
  type SendCallback,
  type WriteCallback,
} from './send-callback.js'
import type { SlowLimits, SlowPolicy } from './slow-limits.js'
import type { Traffic } from './traffic.js'

/** The settings of a {@link Sender}. */
export interface SendingSettings {
  /** Bytes, including frame headers, that may be queued before a peer counts as slow; `Infinity` for no limit. */
  readonly maxBufferedAmount: number
  /** What happens to a slow peer: its connection is terminated, it misses messages, or nothing. */
  readonly slowPolicy: SlowPolicy | 'none'
  /** The source of masking keys, in a client. */
  readonly maskingKeys?: MaskingKeys | undefined
  readonly traffic: Traffic
}

/** The owner of a {@link Sender}. */
export interface SenderOwner {
  /** Bytes that had to wait were taken by the operating system. Not called for writes that are taken at once. */
  onTaken(): void
  /** No compression or Blob is pending any more. */
  onIdle(): void
  /** All that waited is taken, after a send that returned `false`. Called once per such phase, never within a send. */
  onDrain(): void
  /** Sends have begun to return `false`. */
  onBackpressure(bufferedAmount: number): void
  /**
   * The connection must end: the socket failed, the peer is too slow, a Blob could not be read, or a compression
   * failed.
   */
  onSendingFailed(cause: Error, isOfSocket: boolean): void
  /** A send callback threw, or returned a promise that rejected. */
  onCallbackFailed(failure: unknown): void
}

/** A message whose last fragment has not been sent yet. */
interface FragmentedMessage {
  readonly isSkipped: boolean
  /** The bytes of its fragments so far. */
  length: number
}

/**
 * The output of a connection: it limits what is queued for the peer, and signals when the application may continue
 * to send. Messages are sent completely and in order or, beyond a limit, not at all.
 *
 * An idle connection has only this object. The rest is created when something is sent.
 */
export class Sender implements OutboxOwner, WriterOwner {
  readonly #socket: Duplex
  readonly #settings: SendingSettings
  readonly #owner: SenderOwner
  readonly #deflater: MessageDeflater | undefined
  #outbox: Outbox | undefined
  /** Created for messages that are not a single plain frame. Most connections need none. */
  #writer: MessageWriter | undefined
  #unfinished: FragmentedMessage | undefined
  /** Why nothing more is accepted. */
  #closed: Reason | undefined
  #hasFailed = false
  #owesDrain = false

  constructor(socket: Duplex, settings: SendingSettings, owner: SenderOwner, deflater?: MessageDeflater) {
    // The peer's FIN must not end our half: everything accepted is sent first, and `end()` sends our FIN.
    socket.allowHalfOpen = true
    this.#socket = socket
    this.#settings = settings
    this.#owner = owner
    this.#deflater = deflater
  }

  /**
   * The bytes of messages that the operating system has not taken yet: as in WHATWG's standard, without frame headers and
   * control frames. A compressed message counts with its uncompressed length. After a failure the amount stays.
   */
  get bufferedAmount(): number {
    return (this.#outbox?.payload ?? 0) + (this.#writer?.payload ?? 0)
  }

  /**
   * The bytes that the operating system has not taken yet, including frame headers and control frames. Limits apply to
   * these. What waits for a compression or a Blob counts with its payload until it is a frame.
   */
  get bufferedBytes(): number {
    return (this.#outbox?.length ?? 0) + (this.#writer?.length ?? 0)
  }

  /** Bytes that the operating system has taken, frame headers included. */
  get bytesTaken(): number {
    return this.#outbox?.taken ?? 0
  }

  /** Whether the socket has not taken what it was given. */
  get isWaiting(): boolean {
    return this.#outbox?.isWaiting ?? false
  }

  /** Whether a compression or a Blob is pending. */
  get isBusy(): boolean {
    return this.#writer?.isBusy ?? false
  }

  /**
   * Sends a message or a fragment.
   *
   * @returns `false` when so much is queued that the caller should wait for `onDrain`, or when the message was skipped
   */
  sendMessage(data: string | Buffer, options: MessageOptions, callback?: WriteCallback | null): boolean {
    const bound = bindCallback(callback)
    if (!options.fin || !this.#isPlain()) return this.#sendOther(data, options, bound)
    const outbox = this.#beginTurn()
    if (outbox.waitedBefore > this.#settings.maxBufferedAmount) return this.#sendOther(data, options, bound)
    this.#settings.traffic.sent++
    const first = wholeMessage(options.isBinary)
    if (typeof data === 'string') outbox.addText(first, data, bound)
    else outbox.addBytes(first, data, data.length, bound)
    if (outbox.length < outbox.highWaterMark) return true
    this.#oweDrain()
    return false
  }

  /** Sends a message or a fragment that must first be read. @returns as {@link sendMessage} does */
  sendBlob(blob: Blob, options: MessageOptions, callback?: WriteCallback | null): boolean {
    const bound = bindCallback(callback)
    if (!this.#admit(options.fin, bound)) return false
    if (this.#unfinished !== undefined) this.#unfinished.length += blob.size
    if (options.fin) this.#complete()
    this.#makeWriter().addBlob(blob, options, bound)
    return this.#isBelowMark()
  }

  /** Sends a control frame, possibly between the fragments of a message. */
  sendControl(opcode: number, payload: Buffer, callback?: WriteCallback | null): void {
    const bound = bindCallback(callback)
    if (this.#closed !== undefined) {
      this.#refuse(bound, this.#closed)
      return
    }
    const outbox = this.#beginTurn()
    if (this.#writer === undefined) outbox.addBytes(opcode | FIN, payload, 0, bound)
    else this.#writer.addControl(opcode | FIN, payload, bound)
  }

  /** Sends bytes that are frames already, in the order of all that is sent. */
  sendFrames(frames: FrameSequence, callback?: WriteCallback | null): void {
    const bound = bindCallback(callback)
    if (this.#closed !== undefined) {
      this.#refuse(bound, this.#closed)
      return
    }
    const outbox = this.#beginTurn()
    if (this.#writer === undefined) outbox.addShared(frames, bound)
    else this.#writer.addFrames(frames, bound)
  }

  /**
   * Sends a message that is shared with other connections.
   *
   * @returns `false` when it was skipped, or the connection is closing
   */
  sendShared(message: PreparedMessage, limits: SlowLimits): boolean {
    if (this.#closed !== undefined) return false
    const outbox = this.#openOutbox()
    outbox.beginBroadcast()
    // The usual member is short, because V8 inlines a limited amount of code into one function.
    if (
      outbox.waitedBefore > 0 ||
      outbox.isMasked ||
      this.#writer !== undefined ||
      this.#deflater !== undefined
    ) {
      return this.#shareOther(outbox, message, limits)
    }
    this.#settings.traffic.sent++
    outbox.addShared(message.plain)
    return true
  }

  /** Sends FIN after everything that was accepted, including pending compressions. Later messages get an error. */
  end(): void {
    if (this.#closed !== undefined) return
    this.#closed = closingError
    if (!this.isBusy) this.#finish()
  }

  /** Writes what was sent in this turn now, instead of at its end. */
  flush(): void {
    this.#outbox?.flush()
  }

  /** Stops sending: each callback that has not been called gets the cause. A second call does nothing. */
  fail(cause: Reason): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#closed = cause
    this.#outbox?.fail(cause)
    this.#writer?.fail(cause)
  }

  /** The socket has emitted `'drain'`. */
  drain(): void {
    this.#outbox?.drain()
  }

  // Calls from the outbox and the writer.

  /** For the outbox: bytes that wait for the peer, not for the application. */
  get bytesAhead(): number {
    return this.bufferedBytes - (this.#writer?.held ?? 0)
  }

  onTaken(): void {
    this.#owner.onTaken()
    this.#drainIfDue()
  }

  onFlushed(): void {
    // In a later tick, so that the sender has had the time to begin to wait.
    if (this.#owesDrain && this.bytesAhead === 0) this.#drainLater()
  }

  onWriterIdle(): void {
    this.#owner.onIdle()
    if (this.#closed !== undefined) this.#finish()
    if (this.#owesDrain) this.#drainLater()
  }

  onWriterFailed(cause: Error): void {
    this.#failAndTell(cause, false)
  }

  onWriteFailed(failure: unknown): void {
    this.#failAndTell(toError(failure), true)
  }

  onCallbackFailed(failure: unknown): void {
    this.#owner.onCallbackFailed(failure)
  }

  /** Whether a complete message is a single plain frame, as nearly all are. */
  #isPlain(): boolean {
    return (
      this.#writer === undefined &&
      this.#deflater === undefined &&
      this.#closed === undefined &&
      this.#unfinished === undefined
    )
  }

  #shareOther(outbox: Outbox, message: PreparedMessage, limits: SlowLimits): boolean {
    const limit = limits.maxBufferedAmount ?? this.#settings.maxBufferedAmount
    const policy = limits.slowPolicy ?? this.#settings.slowPolicy
    if (outbox.waitedBefore > limit && policy !== 'none') {
      if (policy === 'terminate') this.#failSlow(outbox.waitedBefore)
      return false
    }
    const writer = this.#writer
    // What waits for the application's own last fragment does not count against the peer.
    if (writer !== undefined && writer.held > limit) return false
    this.#settings.traffic.sent++
    if (writer !== undefined || this.#deflater !== undefined) this.#makeWriter().addShared(message)
    else if (outbox.isMasked) {
      outbox.addBytes(wholeMessage(message.isBinary), message.payload, message.payload.length)
    } else {
      outbox.addShared(message.plain)
    }
    return true
  }

  #sendOther(data: string | Buffer, options: MessageOptions, callback: SendCallback | undefined): boolean {
    const { fin, isBinary } = options
    if (!this.#admit(fin, callback)) return false
    if (this.#unfinished !== undefined) this.#unfinished.length += Buffer.byteLength(data)
    if (fin) this.#complete()
    if (this.#writer !== undefined || !fin || this.#deflater !== undefined) {
      this.#makeWriter().addMessage(data, options, callback)
    } else if (typeof data === 'string') {
      this.#outbox!.addText(wholeMessage(isBinary), data, callback)
    } else {
      this.#outbox!.addBytes(wholeMessage(isBinary), data, data.length, callback)
    }
    return this.#closed === undefined && this.#isBelowMark()
  }

  #drainLater(): void {
    process.nextTick(() => {
      this.#drainIfDue()
    })
  }

  #drainIfDue(): void {
    if (!this.#owesDrain || this.#hasFailed || this.isBusy || this.bytesAhead > 0) return
    this.#owesDrain = false
    this.#owner.onDrain()
  }

  /** Whether a message or a fragment is sent. Otherwise its callback gets the reason. */
  #admit(fin: boolean, callback: SendCallback | undefined): boolean {
    if (this.#closed !== undefined) return this.#refuse(callback, this.#closed)
    const { waitedBefore } = this.#beginTurn()
    const { maxBufferedAmount, slowPolicy } = this.#settings
    const unfinished = this.#unfinished
    if (unfinished?.isSkipped === true) {
      if (fin) this.#unfinished = undefined
      return this.#skip(callback, waitedBefore)
    }
    if (waitedBefore > maxBufferedAmount && slowPolicy !== 'none') {
      // A message that has begun continues, unless its own fragments are what is queued.
      const isWithin = unfinished !== undefined && unfinished.length <= maxBufferedAmount
      if (slowPolicy === 'terminate' || (unfinished !== undefined && !isWithin)) {
        this.#failSlow(waitedBefore)
        return this.#refuse(callback, this.#closed!)
      }
      if (unfinished === undefined) {
        if (!fin) this.#unfinished = { isSkipped: true, length: 0 }
        return this.#skip(callback, waitedBefore)
      }
    }
    if (unfinished === undefined && !fin) this.#unfinished = { isSkipped: false, length: 0 }
    return true
  }

  /** A message was sent completely. */
  #complete(): void {
    this.#unfinished = undefined
    this.#settings.traffic.sent++
  }

  /** Everything accepted has become frames. FIN follows them. */
  #finish(): void {
    // Shared messages that are still held wait for a last fragment that can no longer come.
    this.#writer?.dropHeld()
    if (this.#outbox !== undefined) this.#outbox.end()
    else if (this.#socket.writable) this.#socket.end()
  }

  #beginTurn(): Outbox {
    const outbox = this.#openOutbox()
    outbox.beginTurn()
    return outbox
  }

  #openOutbox(): Outbox {
    return (this.#outbox ??= new Outbox(this.#socket, this, this.#settings.maskingKeys))
  }

  #makeWriter(): MessageWriter {
    return (this.#writer ??= new MessageWriter(this.#outbox!, this.#deflater, this))
  }

  #isBelowMark(): boolean {
    const isBelow = this.bytesAhead < this.#socket.writableHighWaterMark
    if (!isBelow) this.#oweDrain()
    return isBelow
  }

  #refuse(callback: SendCallback | undefined, cause: Reason): false {
    if (callback !== undefined) runLater([callback], cause, this)
    return false
  }

  #skip(callback: SendCallback | undefined, waiting: number): false {
    this.#oweDrain()
    // An Error costs a stack trace, so create it only for a callback.
    return callback === undefined ? false : this.#refuse(callback, slowPeerError(waiting))
  }

  #oweDrain(): void {
    if (this.#owesDrain) return
    this.#owesDrain = true
    this.#owner.onBackpressure(this.bufferedAmount)
  }

  #failSlow(waiting: number): void {
    this.#failAndTell(slowPeerError(waiting), true)
  }

  #failAndTell(cause: Error, isOfSocket: boolean): void {
    if (this.#hasFailed) return
    this.fail(cause)
    this.#owner.onSendingFailed(cause, isOfSocket)
  }
}

/** The first byte of an uncompressed message in one frame (RFC 6455 section 5.2). */
function wholeMessage(isBinary: boolean): number {
  return FIN | (isBinary ? Opcode.binary : Opcode.text)
}
