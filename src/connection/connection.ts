import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { CloseCode, encodeClose, MAX_REASON_LENGTH } from '../protocol/close-codes.js'
import type { ProtocolError } from '../protocol/errors.js'
import { Opcode } from '../protocol/opcodes.js'
import { tooManyMessages } from '../protocol/violations.js'
import { closedError, closeTimeoutError, silentPeerError } from '../sending/connection-error.js'
import type { MessageOptions } from '../sending/message-writer.js'
import type { WriteCallback } from '../sending/send-callback.js'
import type { PreparedMessage } from '../sending/prepared-message.js'
import { Sender, type SenderOwner } from '../sending/sender.js'
import type { SlowLimits } from '../sending/slow-limits.js'
import { ClosingHandshake } from './closing-handshake.js'
import type { ConnectionEmitter } from './connection-events.js'
import { Deadline } from './deadline.js'
import { channels } from './diagnostics.js'
import { EventScope, later } from './event-scope.js'
import { Beat, type Pulse } from './heartbeat.js'
import { Inbound, type InboundOwner } from './inbound.js'
import type { Established } from './settings.js'
import { listenTo, type SocketListener } from './socket-listeners.js'

// Called from outside, and run in the context of the connection.
let finish: (connection: Connection) => void
let endInput: (connection: Connection) => void

/**
 * One open connection over any duplex stream, and its state machine: OPEN while there is no closing handshake, CLOSING
 * while there is one, CLOSED when that is over. `docs/design.md` has the table of what each event does in each state.
 * It is an async context, the one in which it was created, and emits its events there.
 */
export class Connection extends EventScope implements InboundOwner, SenderOwner, Pulse, SocketListener {
  /** The stream that it runs over. */
  readonly socket: Duplex
  readonly #inbound: Inbound
  readonly #sender: Sender
  #closing: ClosingHandshake | undefined
  /** The socket is closed. Messages that were received before may still be held. */
  #isGone = false
  /** The socket has ended after messages that are held. */
  #heldDeadline: Deadline | undefined
  /** The latest Ping of a peer that does not read its Pongs (RFC 6455 section 5.5.3). */
  #duePong: Buffer | undefined
  #beat: Beat | undefined
  #isInChunk = false
  silentLooks = 0

  /** Receives each message first, and returns whether it handled it. */
  answer: ((data: string | Buffer, isBinary: boolean) => boolean) | undefined

  constructor(established: Established, emitter: ConnectionEmitter) {
    const { socket, settings, compression } = established
    super(settings, emitter)
    this.socket = socket
    this.#sender = new Sender(socket, settings, this, compression?.deflater)
    this.#inbound = new Inbound(socket, settings, this, compression?.inflater)
    listenTo(socket, this)
    settings.heartbeat?.add(this)
  }

  get readyState(): 1 | 2 | 3 {
    return this.#closing === undefined ? 1 : this.#closing.isOver ? 3 : 2
  }

  /** The address of the peer, if the socket has one. */
  get remoteAddress(): string | undefined {
    return this.socket instanceof Socket ? this.socket.remoteAddress : undefined
  }

  /** Bytes of frames that were received, and that the operating system has taken. */
  get bytes(): { received: number; sent: number } {
    return { received: this.#inbound.bytesReceived, sent: this.#sender.bytesTaken }
  }

  /** Bytes of payload that the operating system has not taken yet. */
  get bufferedAmount(): number {
    return this.#sender.bufferedAmount
  }

  /** The time from our last heartbeat's Ping to its Pong in milliseconds, once there was one. */
  get latency(): number | undefined {
    return this.#beat?.latency
  }

  /** For holding and releasing messages. */
  get inbound(): Pick<Inbound, 'hold' | 'release' | 'isHeld'> {
    return this.#inbound
  }

  /** Sends a message or a fragment; `false` asks to wait for `'drain'`. */
  sendMessage(data: string | Buffer, options: MessageOptions, callback?: WriteCallback): boolean {
    return this.#sender.sendMessage(data, options, callback)
  }

  /** For sending anything other than a message in memory. */
  get sender(): Pick<Sender, 'sendBlob' | 'sendControl' | 'sendFrames' | 'flush'> {
    return this.#sender
  }

  /** Sends a message that is shared with other connections; `false` if this one is closing or its peer is too slow. */
  sendShared(message: PreparedMessage, limits: SlowLimits): boolean {
    return this.#closing === undefined && this.#sender.sendShared(message, limits)
  }

  /** A client's connection is open: emits `'open'`. */
  opened(): void {
    this.emit('open')
  }

  /**
   * Begins the closing handshake, or does nothing when it has begun.
   *
   * @param timeout - milliseconds that the peer has for it, in place of `closeTimeout`; `Infinity` leaves it to
   *   {@link expire}
   * @throws what `encodeClose` throws
   */
  close(code?: number, reason?: string | Uint8Array, timeout?: number): void {
    const payload = encodeClose(code, reason)
    if (this.#closing === undefined) this.#sendClose(this.#startClosing('local', undefined, timeout), payload)
  }

  /**
   * Ends the connection because the time for the closing handshake is over. Held messages are counted as dropped, and
   * what follows them is read: a Close frame there still completes the handshake.
   */
  expire(): void {
    this.runInAsyncScope(this.#expire, this, true)
  }

  /** Ends the connection at once, without a closing handshake. */
  terminate(cause?: Error): void {
    if (this.readyState === 3) return
    const closing = this.#startClosing('local', cause)
    closing.dropped += this.#inbound.discard()
    this.#sender.fail(closing.cause ?? closedError)
    if (this.#isGone) later(this, finish, undefined)
    else this.socket.destroy()
  }

  // Calls from the input.

  onMessage(data: string | Buffer, isBinary: boolean): void {
    if (this.#closing?.isDeaf === true) {
      this.#closing.dropped++
      return
    }
    if (!this.#inbound.admitsMessage()) {
      this.#refuseMore('messageRate', 1)
      return
    }
    this.#heldDeadline?.putOff()
    this.settings.traffic.received++
    const message = isBinary ? ((this.binaryForm?.(data as Buffer) ?? data) as ArrayBuffer) : data
    if (channels.message.hasSubscribers) {
      channels.message.publish({ ...this.origin, data: message, isBinary })
    }
    // The output that a chunk causes is counted for the whole chunk. A message that was held, or inflated on the thread
    // pool, is delivered outside of a chunk.
    const before = this.#isInChunk ? 0 : this.#sender.bufferedBytes
    try {
      if (this.answer?.(data, isBinary) !== true) this.emitter.emit('message', message, isBinary)
    } catch (failure) {
      this.handlerFailed(failure)
    }
    if (!this.settings.preset.allowsSynchronousEvents) this.#inbound.holdForTurn()
    if (!this.#isInChunk) this.#inbound.countCaused(before, this.#sender.bufferedBytes)
  }

  onPing(payload: Buffer): void {
    if (this.#isFlooded()) return
    if (this.settings.autoPong && this.#closing?.isSent !== true) {
      // A peer that does not read our Pongs gets the latest, when it reads again (RFC 6455 section 5.5.3).
      this.#duePong = payload
      this.onIdle()
    }
    this.emit('ping', payload)
  }

  onPong(payload: Buffer): void {
    if (this.#isFlooded()) return
    this.#beat?.receive(payload)
    this.emit('pong', payload)
  }

  /** The peer's Close frame: it is answered, and then the server ends the TCP connection (RFC 6455 section 7.1.1). */
  onClose(code: number, reason: string): void {
    const closing = this.#startClosing('remote')
    closing.receive(code, reason)
    if (closing.isSent) this.#endWhenClosed(closing)
    else this.#sendClose(closing, code === CloseCode.noStatus ? encodeClose() : encodeClose(code, reason))
  }

  /** Fails the connection (RFC 6455 section 7.1.7): a Close frame that says why, and nothing more is read. */
  onProtocolError(error: ProtocolError): void {
    const wasWell = this.#closing?.cause === undefined
    const closing = this.#startClosing('local', error)
    if (wasWell) this.reportLater(error, 'always')
    if (!closing.isSent) {
      const reason = this.settings.preset.explainsMistakes ? error.message.slice(0, MAX_REASON_LENGTH) : ''
      this.#sendClose(closing, encodeClose(error.closeCode, reason))
    }
    this.#sender.end()
  }

  onReadingOn(): void {
    this.#inbound.inflated()
  }

  /** The peer's FIN, after everything that it sent. Without a Close frame before it, the closure is abnormal. */
  onInputEnd(): void {
    this.#startClosing('remote')
    if (this.#isGone) later(this, finish, undefined)
    else this.#sender.end()
  }

  // Calls from the output.

  onTaken(): void {
    this.silentLooks = 0
    this.#beat?.readAhead()
    this.#closing?.deadline?.putOff()
    this.onIdle()
    this.#inbound.regulate(this.#sender.bufferedBytes, this.settings.maxBufferedAmount / 2)
  }

  /** Sends the Pong that is due, if nothing waits in front of it. */
  onIdle(): void {
    if (!this.#sender.isWaiting && !this.#sender.isBusy) this.#sendDuePong()
  }

  onDrain(): void {
    if (this.readyState !== 3) this.emitDrain()
  }

  onBackpressure(bufferedAmount: number): void {
    if (channels.backpressure.hasSubscribers) {
      channels.backpressure.publish({ ...this.origin, bufferedAmount })
    }
  }

  onSendingFailed(cause: Error, isOfSocket: boolean): void {
    const wasWell = this.#closing?.cause === undefined
    this.terminate(cause)
    if (wasWell && !isOfSocket) this.reportLater(cause, 'always')
  }

  onCallbackFailed(failure: unknown): void {
    this.handlerFailed(failure)
  }

  // Calls from the heartbeat.

  sendHeartbeat(): void {
    if (this.#closing !== undefined) return
    this.#beat ??= new Beat()
    this.#sender.sendControl(Opcode.ping, this.#beat.start(this.#sender.bufferedBytes))
  }

  onSilence(looks: number): void {
    // While this end does not read, the peer's silence means nothing. A closing one is not pinged: its deadline counts.
    if (this.#closing !== undefined || !this.#inbound.isReading) this.silentLooks = 0
    else if (this.#beat?.mayBeReading(looks) !== true) this.terminate(silentPeerError())
  }

  // Calls from the socket.

  read(chunk: Buffer): void {
    this.silentLooks = 0
    this.#closing?.deadline?.putOff()
    const before = this.#sender.bufferedBytes
    if (before > 0) this.#inbound.regulate(before, this.settings.maxBufferedAmount / 2)
    this.#isInChunk = true
    this.#inbound.push(chunk)
    this.#isInChunk = false
    this.#inbound.countCaused(before, this.#sender.bufferedBytes)
  }

  drain(): void {
    this.#sender.drain()
  }

  /** FIN. A paused reader has the time of the closing handshake to take each of the held messages. */
  ended(): void {
    this.#inbound.end()
    if (this.#closing === undefined) this.#heldDeadline = this.#deadline(this.settings.closeTimeout)
  }

  failed(error: Error): void {
    // Some peers end a closed connection with a reset after both Close frames.
    if (this.#closing?.hasLeft === true && this.#closing.isReceived) return
    this.#startClosing('remote', error)
  }

  gone(): void {
    this.#isGone = true
    this.settings.heartbeat?.delete(this)
    const closing = this.#startClosing('remote')
    this.#sender.fail(closing.cause ?? closedError)
    // After the send callbacks.
    later(this, endInput, undefined)
  }

  /** Leaves the OPEN state if necessary. The first cause is kept and reported. */
  #startClosing(
    initiator: 'local' | 'remote',
    cause?: Error,
    timeout: number = this.settings.closeTimeout,
  ): ClosingHandshake {
    this.#heldDeadline?.clear()
    const closing = (this.#closing ??= new ClosingHandshake(initiator))
    closing.deadline ??= this.#deadline(timeout)
    if (cause !== undefined && closing.cause === undefined && !closing.isOver) {
      closing.cause = cause
      this.reportLater(cause, 'heard')
    }
    return closing
  }

  #sendDuePong(): void {
    const payload = this.#duePong
    if (payload === undefined) return
    this.#duePong = undefined
    const { answerPing } = this.settings.preset
    if (answerPing === undefined || this.#closing !== undefined)
      this.#sender.sendControl(Opcode.pong, payload)
    else answerPing(this.emitter, payload)
  }

  #sendClose(closing: ClosingHandshake, payload: Buffer): void {
    closing.isSent = true
    this.#sendDuePong()
    this.#sender.sendControl(Opcode.close, payload, (error) => {
      if (!error) closing.hasLeft = true
    })
    this.#endWhenClosed(closing)
  }

  /** Both have sent Close: the server ends the TCP connection first (RFC 6455 section 7.1.1). */
  #endWhenClosed(closing: ClosingHandshake): void {
    if (closing.isReceived && this.settings.maskingKeys === undefined) this.#sender.end()
  }

  protected closeFailed(error: Error): void {
    const closing = this.#startClosing('local', error)
    closing.isDeaf = true
    if (!closing.isSent) this.#sendClose(closing, encodeClose(CloseCode.internalError))
    this.#inbound.releaseAll()
  }

  #deadline(timeout: number): Deadline {
    return new Deadline(timeout, () => {
      this.runInAsyncScope(this.#expire, this, false)
    })
  }

  /**
   * The time is over: for the reader to take the held messages, or for the peer to end the connection. Unless it
   * `isFinal`, a peer whose Close frame or FIN followed held messages, or may be in what has not been read, has time to
   * end it. One that sends without a pause has that time only until the deadline cannot be renewed any more.
   */
  #expire(isFinal: boolean): void {
    const wasOpen = this.#closing === undefined
    const closing = this.#startClosing('remote')
    if ((wasOpen || this.#inbound.isBehind) && (isFinal || closing.deadline!.renew())) {
      // The peer's Close frame or FIN may follow the messages, which are counted instead of delivered.
      const mayEnd = this.#isGone || this.socket.readableEnded || !this.#inbound.isReading
      closing.isDeaf = true
      this.#inbound.releaseAll()
      if (!isFinal && (mayEnd || closing.isReceived || this.#inbound.isBehind)) return
    }
    const isComplete = closing.hasLeft && closing.isReceived
    if (!isComplete && !this.#isGone) this.#startClosing('local', closeTimeoutError())
    this.terminate()
  }

  /** Called later: after a pending `'error'` and pending send callbacks. */
  #finish(): void {
    const closing = this.#startClosing('remote')
    if (closing.isOver) return
    closing.isOver = true
    closing.deadline?.clear()
    closing.dropped += this.#inbound.discard()
    const { code, reason } = closing
    this.emitClose(code, reason, closing.details())
  }

  /** Whether a Ping or Pong exceeds the rate. The connection has then failed. */
  #isFlooded(): boolean {
    if (this.#inbound.admitsControl()) return false
    this.#refuseMore('controlFrameRate', 0)
    return true
  }

  /** Fails the connection. What was received, including `refused` messages, counts as dropped. */
  #refuseMore(option: string, refused: number): void {
    const dropped = refused + this.#inbound.discard()
    this.onProtocolError(tooManyMessages(option))
    this.#startClosing('local').dropped += dropped
  }

  static {
    finish = (connection) => {
      connection.#finish()
    }
    endInput = (connection) => {
      connection.#inbound.end()
    }
  }
}
