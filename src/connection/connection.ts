import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { CloseCode, encodeClose, MAX_REASON_LENGTH } from '../protocol/close-codes.js'
import { Decoder, type DecoderSink } from '../protocol/decoder.js'
import type { ProtocolError } from '../protocol/errors.js'
import { Opcode } from '../protocol/opcodes.js'
import { tooManyMessages } from '../protocol/violations.js'
import { ClosingHandshake } from './closing-handshake.js'
import { closeTimeoutError, silentPeerError } from '../sending/connection-error.js'
import type { BinaryType, ConnectionEmitter } from './connection-events.js'
import type { Compression, ConnectionSettings } from './connection-settings.js'
import { channels } from './diagnostics.js'
import type { Pulse } from './heartbeat.js'
import { Outgoing } from '../sending/sender.js'
import { toArrayBuffer } from '../sending/payload.js'
import { drainWhenTaken, listenTo, type SocketListener } from './socket-listeners.js'
import { TokenBucket } from './token-bucket.js'

/**
 * One open connection over any duplex stream: what comes in goes through the decoder to the owner, what goes out
 * through the writer and the outbox, and the closing handshake (RFC 6455 section 7) ends it, once.
 */
export class Connection extends Outgoing implements DecoderSink, Pulse, SocketListener {
  readonly #decoder: Decoder

  /** The socket is closed; the decoder may still hold what came before that. */
  #isGone = false
  /** `'close'` was emitted. */
  #isDone = false
  #isPaused = false
  #isReading = true
  #heartbeatAt = 0
  /** Octets that waited for the peer when the last Ping went behind them. */
  #aheadOfPing = 0
  #duePong: Buffer | undefined
  readonly #messageTokens: TokenBucket | undefined
  /** Made with the first Ping or Pong. */
  #controlTokens: TokenBucket | undefined

  #isEnding = false
  /** Made when the end begins: an open connection has none. */
  #closing: ClosingHandshake | undefined
  #closeTimer: NodeJS.Timeout | undefined

  silentLooks = 0

  /** What binary messages are handed out as. */
  binaryType: BinaryType = 'nodebuffer'

  /** The time from our last heartbeat's Ping to its Pong in milliseconds, once there was one. */
  latency: number | undefined

  constructor(
    socket: Duplex,
    settings: ConnectionSettings,
    emitter: ConnectionEmitter,
    compression?: Compression,
  ) {
    super(socket, settings, emitter, compression?.deflater)
    this.#decoder = new Decoder(this, settings.decoder, compression?.inflater)
    if (settings.messageRate !== undefined) this.#messageTokens = new TokenBucket(settings.messageRate)
    if (socket.readableLength > 0) this.#readLater()
    listenTo(socket, this)
    settings.heartbeat?.add(this)
  }

  get readyState(): 1 | 2 | 3 {
    return this.#closing === undefined ? 1 : this.#isDone ? 3 : 2
  }

  /** The address at the other end of the socket, where it has one. */
  get remoteAddress(): string | undefined {
    return this.socket instanceof Socket ? this.socket.remoteAddress : undefined
  }

  /** Octets that the socket has read and written, where it counts them: the opening handshake is among them. */
  get octets(): { received: number; sent: number } {
    if (!(this.socket instanceof Socket)) return { received: 0, sent: 0 }
    return { received: this.socket.bytesRead, sent: this.socket.bytesWritten }
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /**
   * Begins the closing handshake, or does nothing when it has begun.
   *
   * @param timeout - milliseconds that the peer has for it, in place of `closeTimeout`
   * @throws what `encodeClose` throws
   */
  close(code?: number, reason?: string | Uint8Array, timeout?: number): void {
    const payload = encodeClose(code, reason)
    if (this.#closing === undefined) this.#sendClose(this.#startClosing('local', undefined, timeout), payload)
  }

  /** Closes because the application failed: 1011, and the failure is the cause. */
  abort(cause: Error): void {
    const closing = this.#startClosing('local', cause)
    if (!closing.isSent) this.#sendClose(closing, encodeClose(CloseCode.internalError))
    this.#reportError(cause)
  }

  /** Ends the connection at once, without a closing handshake. */
  terminate(cause?: Error): void {
    if (this.#isDone) return
    const closing = this.#startClosing('local', cause)
    this.#decoder.finish()
    // Of a socket that is gone already, what was held back from a paused reader is given up.
    if (this.#isGone) process.nextTick(() => this.#finish(closing))
    else this.socket.destroy()
  }

  pause(): void {
    this.#isPaused = true
    this.#decoder.hold()
    this.#updateFlow()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    // What was held is delivered as fresh input would be: not from within the caller.
    process.nextTick(() => {
      if (this.#isPaused) return
      this.#decoder.release()
      this.onReadingOn()
    })
  }

  // What the decoder finds.

  onMessage(data: string | Buffer, isBinary: boolean): void {
    if (this.#messageTokens?.take() === false) {
      this.#refuseMore('messageRate')
      return
    }
    this.settings.traffic.received++
    const asArrayBuffer = isBinary && this.binaryType === 'arraybuffer'
    const message = asArrayBuffer ? toArrayBuffer(data as Buffer) : data
    if (channels.message.hasSubscribers) {
      channels.message.publish({ socket: this.emitter, data: message, isBinary })
    }
    this.emitter.emit('message', message, isBinary)
  }

  onPing(payload: Buffer): void {
    if (this.#isFlooded()) return
    if (this.settings.autoPong && this.#closing?.isSent !== true) {
      // A peer that does not read our Pongs gets the latest, when it reads again (RFC 6455 section 5.5.3).
      if (this.socket.writableNeedDrain) this.#duePong = payload
      else this.control(Opcode.pong, payload)
    }
    this.emitter.emit('ping', payload)
  }

  onPong(payload: Buffer): void {
    if (this.#isFlooded()) return
    if (this.#heartbeatAt !== 0) {
      this.latency = performance.now() - this.#heartbeatAt
      this.#heartbeatAt = 0
    }
    this.emitter.emit('pong', payload)
  }

  /** The peer's Close frame: it is answered, and then the server ends the TCP connection (RFC 6455 section 7.1.1). */
  onClose(code: number, reason: string): void {
    const closing = this.#startClosing('remote')
    closing.receive(code, reason)
    if (closing.isSent) this.#endWhenClosed(closing)
    else this.#sendClose(closing, code === CloseCode.noStatus ? NOTHING : encodeClose(code, reason))
  }

  /** Fails the connection (RFC 6455 section 7.1.7): a Close frame that says why, and nothing is read any more. */
  onProtocolError(error: ProtocolError): void {
    const closing = this.#startClosing('local', error)
    if (!closing.isSent) {
      this.#sendClose(closing, encodeClose(error.closeCode, error.message.slice(0, MAX_REASON_LENGTH)))
    }
    this.#end()
    this.#reportError(error)
  }

  /** The decoder has caught up with a message that was inflated in the background. */
  onReadingOn(): void {
    this.#updateFlow()
    if (this.#isGone) this.#finish(this.#startClosing('remote'))
  }

  /** The writer has caught up with a message that was compressed in the background. */
  onWriterIdle(): void {
    if (this.#isEnding) this.outbox.end()
    else this.outbox.flush()
    this.#updateFlow()
    if (this.owesDrain) drainWhenTaken(this, this.socket)
  }

  // What the heartbeat asks.

  sendHeartbeat(): void {
    if (this.#closing !== undefined || this.#mayBeUnheard()) return
    this.#heartbeatAt = performance.now()
    this.#aheadOfPing = this.bufferedAmount
    this.control(Opcode.ping, NOTHING)
  }

  onSilence(looks: number): void {
    // It comes to the Ping when it has read what stands in front of that; nobody is expected to read less than so much.
    const mayBeReading = this.#aheadOfPing > looks * LEAST_READ_A_LOOK
    if (!this.#mayBeUnheard() && !mayBeReading) this.terminate(silentPeerError())
  }

  // What the socket tells.

  read(chunk: Buffer): void {
    this.silentLooks = 0
    this.#decoder.push(chunk)
    if (this.#decoder.held || this.isOverrun()) this.#updateFlow()
  }

  drain(): void {
    if (this.#aheadOfPing > 0) {
      // It did read.
      this.#aheadOfPing = 0
      this.silentLooks = 0
    }
    if (this.#duePong !== undefined && this.#closing?.isSent !== true) {
      this.control(Opcode.pong, this.#duePong)
      this.#duePong = undefined
    }
    this.#updateFlow()
    if (!this.owesDrain || this.isBusy || this.#isGone) return
    this.owesDrain = false
    this.emitter.emit('drain')
  }

  /** The peer sent FIN. Without a Close frame before it that is an abnormal end, and ours follows. */
  peerEnded(): void {
    this.#startClosing('remote')
    this.#end()
  }

  failed(error: Error): void {
    this.#startClosing('remote', error)
    this.#reportError(error)
  }

  gone(): void {
    this.#isGone = true
    const closing = this.#startClosing('remote')
    clearTimeout(this.#closeTimer)
    this.settings.heartbeat?.delete(this)
    this.#finish(closing)
  }

  /** Whether a Ping or Pong is one too many, for which the connection has failed. */
  #isFlooded(): boolean {
    const { controlFrameRate } = this.settings
    if (controlFrameRate === undefined) return false
    this.#controlTokens ??= new TokenBucket(controlFrameRate)
    if (this.#controlTokens.take()) return false
    this.#refuseMore('controlFrameRate')
    return true
  }

  #refuseMore(option: string): void {
    this.#decoder.finish()
    this.onProtocolError(tooManyMessages(option))
  }

  /** The end, when all that had come before it is delivered: a reader that paused still gets it. */
  #finish(closing: ClosingHandshake): void {
    if (this.#isDone || this.#decoder.held) return
    this.#isDone = true
    this.#decoder.finish()
    const { code, reason } = closing
    const details = closing.details()
    if (channels.close.hasSubscribers) {
      channels.close.publish({ socket: this.emitter, code, reason, details })
    }
    this.emitter.emit('close', code, reason, details)
  }

  #reportError(error: Error): void {
    if (channels.error.hasSubscribers) channels.error.publish({ socket: this.emitter, error })
    if (this.emitter.listenerCount('error') > 0) this.emitter.emit('error', error)
  }

  /** Leaves the open state, if it is still that, and keeps the first cause. */
  #startClosing(
    initiator: 'local' | 'remote',
    cause?: Error,
    timeout: number = this.settings.closeTimeout,
  ): ClosingHandshake {
    if (this.#closing === undefined) {
      this.#closing = new ClosingHandshake(initiator)
      this.#closeTimer = setTimeout(giveUp, timeout, this.#closing, this.socket)
    }
    this.#closing.cause ??= cause
    return this.#closing
  }

  #sendClose(closing: ClosingHandshake, payload: Buffer): void {
    closing.isSent = true
    this.control(Opcode.close, payload)
    this.#endWhenClosed(closing)
  }

  /** Both have sent Close: the server ends the TCP connection first (RFC 6455 section 7.1.1). */
  #endWhenClosed(closing: ClosingHandshake): void {
    if (closing.isReceived && this.settings.maskingKeys === undefined) this.#end()
  }

  #end(): void {
    this.#isEnding = true
    // A message that is being compressed goes first.
    if (!this.isBusy) this.outbox.end()
  }

  /** Whether it is we who do not read: a peer that nobody listens to has all the time there is. */
  #mayBeUnheard(): boolean {
    if (this.#isPaused) this.silentLooks = 0
    return this.#isPaused
  }

  /** What came before the connection was open waits until those who await the open socket can listen to it. */
  #readLater(): void {
    this.#isReading = false
    this.socket.pause()
    setImmediate(() => {
      this.#updateFlow()
    })
  }

  /** Reads while there is somebody to read for, and while the peer reads what it made us write. */
  #updateFlow(): void {
    const reads = !this.#isPaused && !this.#decoder.held && !this.isOverrun()
    if (reads === this.#isReading) return
    this.#isReading = reads
    if (reads) this.socket.resume()
    else this.socket.pause()
  }
}

const NOTHING = Buffer.alloc(0)

/** Octets: 26 KiB/s with the heartbeat's default. */
const LEAST_READ_A_LOOK = 64 * 1024

/** The peer had its time for the closing handshake. */
function giveUp(closing: ClosingHandshake, socket: Duplex): void {
  if (!closing.isSent || !closing.isReceived) closing.cause ??= closeTimeoutError()
  socket.destroy()
}
