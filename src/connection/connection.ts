import type { Duplex } from 'node:stream'
import { CloseCode, encodeClose, MAX_REASON_LENGTH } from '../protocol/close-codes.js'
import { Decoder, type DecoderOptions, type DecoderSink } from '../protocol/decoder.js'
import type { ProtocolError } from '../protocol/errors.js'
import type { MessageDeflater } from '../protocol/message-deflater.js'
import type { MessageInflater } from '../protocol/message-inflater.js'
import { FIN, Opcode } from '../protocol/opcodes.js'
import type { CloseDetails } from './event-target.js'
import type { Heartbeat, Pulse } from './heartbeat.js'
import type { MaskingKeys } from './masking-keys.js'
import type { SlowLimits, SlowPolicy } from './member.js'
import { type MessageOptions, MessageWriter } from './message-writer.js'
import { Outbox, type WriteCallback } from './outbox.js'
import type { PreparedMessage } from './prepared-message.js'
import { inTurn } from './turn.js'

/** What all connections of a server, or one client, have in common. */
export interface ConnectionSettings {
  readonly decoder: DecoderOptions
  /** Milliseconds that the peer has to complete the closing handshake. */
  readonly closeTimeout: number
  /** Octets that may wait for a peer before it counts as slow. */
  readonly maxBufferedAmount: number
  /** What becomes of a slow peer: its connection ends, or it misses messages. */
  readonly slowPolicy: SlowPolicy
  /** Whether Pings are answered by the library. */
  readonly autoPong: boolean
  readonly heartbeat?: Heartbeat | undefined
  /** The source of masking keys, in a client. */
  readonly maskingKeys?: MaskingKeys | undefined
}

/** The halves of permessage-deflate, where it was negotiated. */
export interface Compression {
  readonly inflater: MessageInflater
  readonly deflater: MessageDeflater
}

/** What a connection emits. */
export interface ConnectionEvents {
  message: [data: string | Buffer | ArrayBuffer | Blob, isBinary: boolean]
  ping: [payload: Buffer]
  pong: [payload: Buffer]
  drain: []
  error: [error: Error]
  close: [code: number, reason: string, details: CloseDetails]
}

/** Who emits it; a plain emitter, so that nothing stands between the decoder and the user's listeners. */
export interface ConnectionEmitter {
  emit<Name extends keyof ConnectionEvents>(name: Name, ...values: ConnectionEvents[Name]): boolean
  listenerCount(name: keyof ConnectionEvents): number
}

/** What binary messages are handed out as. */
export type BinaryType = 'nodebuffer' | 'arraybuffer' | 'blob'

/** Where a socket keeps its connection: the listeners are the same functions for all, with no closure for each. */
const connectionOf = Symbol('connection')

type Carrier = Duplex & { [connectionOf]?: Connection }

/**
 * One open connection over any duplex stream: what comes in goes through the decoder to the owner, what goes out
 * through the writer and the outbox, and the closing handshake (RFC 6455 section 7) ends it, once.
 */
export class Connection implements DecoderSink, Pulse {
  readonly #socket: Duplex
  readonly #settings: ConnectionSettings
  readonly #emitter: ConnectionEmitter
  readonly #decoder: Decoder
  readonly #outbox: Outbox
  readonly #writer: MessageWriter

  #isOpen = true
  /** The socket is closed; the decoder may still hold what came before that. */
  #isGone = false
  /** `'close'` was emitted. */
  #isDone = false
  #isPaused = false
  #isReading = true
  #owesDrain = false
  #showedLife = false
  #heartbeatAt = 0
  #duePong: Buffer | undefined

  #isEnding = false
  #closeSent = false
  #closeReceived = false
  #code: number = CloseCode.abnormal
  #reason = ''
  #initiator: 'local' | 'remote' = 'remote'
  #cause: Error | undefined
  #closeTimer: NodeJS.Timeout | undefined

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
    this.#socket = socket
    this.#settings = settings
    this.#emitter = emitter
    this.#decoder = new Decoder(this, settings.decoder, compression?.inflater)
    this.#outbox = new Outbox(socket, settings.maskingKeys)
    this.#writer = new MessageWriter(this.#outbox, compression?.deflater, this)
    const carrier = socket as Carrier
    carrier[connectionOf] = this
    carrier.on('data', onData)
    carrier.on('end', onEnd)
    carrier.on('drain', onDrain)
    carrier.on('error', onError)
    carrier.on('close', onClose)
    settings.heartbeat?.add(this)
  }

  get bufferedAmount(): number {
    return this.#writer.bufferedAmount
  }

  get readyState(): 1 | 2 | 3 {
    return this.#isOpen ? 1 : this.#isDone ? 3 : 2
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Sends a message or a fragment; `false` asks to wait for `'drain'`. */
  message(data: string | Buffer, options: MessageOptions, callback?: WriteCallback): boolean {
    if (!this.#hasRoom()) {
      callback?.(this.#tooSlow())
      return false
    }
    this.#writer.message(data, options, callback)
    return this.#isBelowMark()
  }

  /** Sends a message that is still to be read. */
  blob(blob: Blob, options: MessageOptions, callback?: WriteCallback): boolean {
    if (!this.#hasRoom()) {
      callback?.(this.#tooSlow())
      return false
    }
    this.#writer.blob(blob, options, callback)
    return this.#isBelowMark()
  }

  /** Sends a message that others get too; `false` when the peer is too slow to have it. */
  deliver(message: PreparedMessage, limits: SlowLimits): boolean {
    if (!this.#isOpen || !this.#hasRoom(limits)) return false
    this.#writer.prepared(message)
    return true
  }

  /** Sends a Ping or a Pong. */
  control(opcode: number, payload: Buffer, callback?: WriteCallback): void {
    this.#writer.control(opcode | FIN, payload, callback)
  }

  /** Begins the closing handshake, or does nothing when it has begun. @throws what `encodeClose` throws */
  close(code?: number, reason?: string | Uint8Array): void {
    const payload = encodeClose(code, reason)
    if (!this.#isOpen) return
    this.#startClosing('local')
    this.#sendClose(payload)
  }

  /** Closes because the application failed: 1011, and the failure is the cause. */
  abort(cause: Error): void {
    this.#cause ??= cause
    this.close(CloseCode.internalError)
    this.#reportError(cause)
  }

  /** Ends the connection at once, without a closing handshake. */
  terminate(cause?: Error): void {
    if (this.#isGone) return
    this.#cause ??= cause
    this.#startClosing('local')
    this.#decoder.finish()
    this.#socket.destroy()
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
    if (!isBinary || this.binaryType === 'nodebuffer') this.#emitter.emit('message', data, isBinary)
    else if (this.binaryType === 'arraybuffer')
      this.#emitter.emit('message', toArrayBuffer(data as Buffer), true)
    else this.#emitter.emit('message', new Blob([data as Buffer]), true)
  }

  onPing(payload: Buffer): void {
    if (this.#settings.autoPong && !this.#closeSent) {
      // A peer that does not read our Pongs gets the latest, when it reads again (RFC 6455 section 5.5.3).
      if (this.#socket.writableNeedDrain) this.#duePong = payload
      else this.control(Opcode.pong, payload)
    }
    this.#emitter.emit('ping', payload)
  }

  onPong(payload: Buffer): void {
    if (this.#heartbeatAt !== 0) {
      this.latency = performance.now() - this.#heartbeatAt
      this.#heartbeatAt = 0
    }
    this.#emitter.emit('pong', payload)
  }

  /** The peer's Close frame: it is answered, and then the server ends the TCP connection (RFC 6455 section 7.1.1). */
  onClose(code: number, reason: string): void {
    this.#closeReceived = true
    this.#code = code
    this.#reason = reason
    this.#startClosing('remote')
    if (!this.#closeSent) this.#sendClose(code === CloseCode.noStatus ? NOTHING : encodeClose(code, reason))
    else this.#endWhenClosed()
  }

  /** Fails the connection (RFC 6455 section 7.1.7): a Close frame that says why, and nothing is read any more. */
  onProtocolError(error: ProtocolError): void {
    this.#cause ??= error
    this.#startClosing('local')
    if (!this.#closeSent)
      this.#sendClose(encodeClose(error.closeCode, error.message.slice(0, MAX_REASON_LENGTH)))
    this.#end()
    this.#reportError(error)
  }

  /** The decoder has caught up with a message that was inflated in the background. */
  onReadingOn(): void {
    this.#updateFlow()
    if (this.#isGone) this.#finish()
  }

  /** The writer has caught up with a message that was compressed in the background. */
  onWriterIdle(): void {
    if (this.#isEnding) this.#outbox.end()
    else this.#outbox.flush()
    if (!this.#socket.writableNeedDrain) this.drain()
  }

  // What the heartbeat asks.

  takeSignOfLife(): boolean {
    const showed = this.#showedLife
    this.#showedLife = false
    return showed
  }

  sendHeartbeat(): void {
    if (!this.#isOpen) return
    this.#heartbeatAt = performance.now()
    this.control(Opcode.ping, NOTHING)
  }

  onSilence(silence: number): void {
    this.terminate(new Error(`The peer was silent for ${Math.round(silence)} ms and did not answer a Ping`))
  }

  // What the socket tells.

  read(chunk: Buffer): void {
    this.#showedLife = true
    this.#decoder.push(chunk)
    if (this.#decoder.held || this.#writer.bufferedAmount > this.#settings.maxBufferedAmount / 2)
      this.#updateFlow()
  }

  drain(): void {
    if (this.#duePong !== undefined && !this.#closeSent) {
      this.control(Opcode.pong, this.#duePong)
      this.#duePong = undefined
    }
    this.#updateFlow()
    if (!this.#owesDrain || this.#writer.isBusy) return
    this.#owesDrain = false
    this.#emitter.emit('drain')
  }

  /** The peer sent FIN. Without a Close frame before it that is an abnormal end, and ours follows. */
  peerEnded(): void {
    this.#startClosing('remote')
    this.#end()
  }

  failed(error: Error): void {
    this.#cause ??= error
    this.#startClosing('remote')
    this.#reportError(error)
  }

  gone(): void {
    this.#isGone = true
    this.#startClosing('remote')
    clearTimeout(this.#closeTimer)
    this.#settings.heartbeat?.delete(this)
    this.#finish()
  }

  /** The end, when all that had come before it is delivered: a reader that paused still gets it. */
  #finish(): void {
    if (this.#isDone || this.#decoder.held) return
    this.#isDone = true
    this.#decoder.finish()
    this.#emitter.emit('close', this.#code, this.#reason, {
      wasClean: this.#closeSent && this.#closeReceived,
      initiator: this.#initiator,
      cause: this.#cause,
    })
  }

  #reportError(error: Error): void {
    if (this.#emitter.listenerCount('error') > 0) this.#emitter.emit('error', error)
  }

  #startClosing(initiator: 'local' | 'remote'): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#initiator = initiator
    this.#closeTimer = setTimeout(destroy, this.#settings.closeTimeout, this.#socket)
  }

  #sendClose(payload: Buffer): void {
    this.#closeSent = true
    this.#writer.control(Opcode.close | FIN, payload)
    this.#endWhenClosed()
  }

  /** Both have sent Close: the server ends first, so that it is not the client that waits in TIME_WAIT's stead. */
  #endWhenClosed(): void {
    if (this.#closeReceived && this.#settings.maskingKeys === undefined) this.#end()
  }

  #end(): void {
    this.#isEnding = true
    // A message that is being compressed goes first.
    if (!this.#writer.isBusy) this.#outbox.end()
  }

  #hasRoom(limits: SlowLimits = this.#settings): boolean {
    const { maxBufferedAmount = this.#settings.maxBufferedAmount, slowPolicy = this.#settings.slowPolicy } =
      limits
    if (this.#writer.bufferedAmount <= maxBufferedAmount) return true
    if (slowPolicy === 'terminate') this.terminate(this.#tooSlow())
    return false
  }

  #tooSlow(): Error {
    return new Error(
      `The peer reads too slowly: ${this.#writer.bufferedAmount} octets wait for it, more than maxBufferedAmount allows. ` +
        "Wait for 'drain' when send() returns false",
    )
  }

  #isBelowMark(): boolean {
    const isBelow = this.#writer.bufferedAmount < this.#socket.writableHighWaterMark
    if (!isBelow) this.#owesDrain = true
    return isBelow
  }

  /** Reads while there is somebody to read for, and while the peer reads what it made us write. */
  #updateFlow(): void {
    const reads =
      !this.#isPaused &&
      !this.#decoder.held &&
      this.#writer.bufferedAmount <= this.#settings.maxBufferedAmount / 2
    if (reads === this.#isReading) return
    this.#isReading = reads
    if (reads) this.#socket.resume()
    else this.#socket.pause()
  }
}

const NOTHING = Buffer.alloc(0)

/** The octets alone: the Buffer may be a part of a larger memory. */
function toArrayBuffer(octets: Buffer): ArrayBuffer {
  return new Uint8Array(octets).buffer
}

function destroy(socket: Duplex): void {
  socket.destroy()
}

function readChunk(connection: Connection, chunk: Buffer): void {
  connection.read(chunk)
}

function onData(this: Carrier, chunk: Buffer): void {
  inTurn(this[connectionOf]!, chunk, readChunk)
}

function onEnd(this: Carrier): void {
  this[connectionOf]!.peerEnded()
}

function onDrain(this: Carrier): void {
  this[connectionOf]!.drain()
}

function onError(this: Carrier, error: Error): void {
  this[connectionOf]!.failed(error)
}

function onClose(this: Carrier): void {
  this[connectionOf]!.gone()
}
