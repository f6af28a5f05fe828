import type { Duplex } from 'node:stream'
import type { MessageDeflater } from '../protocol/message-deflater.js'
import { FIN, Opcode } from '../protocol/opcodes.js'
import type { ConnectionEmitter } from '../connection/connection-events.js'
import { slowPeerError } from './connection-error.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import { channels } from '../connection/diagnostics.js'
import type { SlowLimits } from './slow-limits.js'
import { type MessageOptions, MessageWriter, type WriterOwner } from './message-writer.js'
import { Outbox, type WriteCallback } from './outbox.js'
import type { PreparedMessage } from './prepared-message.js'
import { drainWhenTaken } from '../connection/socket-listeners.js'

/**
 * What goes out of a connection: how much may wait for the peer, what becomes of more, and when the sender is told to
 * go on. A class of its own and not an object, of which each idle connection would have one.
 */
export abstract class Outgoing implements WriterOwner {
  protected readonly socket: Duplex
  protected readonly settings: ConnectionSettings
  protected readonly emitter: ConnectionEmitter
  protected readonly outbox: Outbox
  /** Made when there is something that a frame by itself is not: most connections have none. */
  #writer: MessageWriter | undefined
  /** `'drain'` is to be emitted. */
  protected owesDrain = false

  constructor(
    socket: Duplex,
    settings: ConnectionSettings,
    emitter: ConnectionEmitter,
    deflater: MessageDeflater | undefined,
  ) {
    this.socket = socket
    this.settings = settings
    this.emitter = emitter
    this.outbox = new Outbox(socket, settings.maskingKeys)
    if (deflater !== undefined) this.#writer = new MessageWriter(this.outbox, deflater, this)
  }

  abstract get readyState(): 1 | 2 | 3
  abstract terminate(cause?: Error): void
  abstract drain(): void
  abstract onWriterIdle(): void

  get bufferedAmount(): number {
    return this.#writer === undefined ? this.outbox.bufferedAmount : this.#writer.bufferedAmount
  }

  /** Whether frames wait for a compression or a Blob. */
  protected get isBusy(): boolean {
    return this.#writer !== undefined && this.#writer.isBusy
  }

  /** Sends a message or a fragment; `false` asks to wait for `'drain'`. */
  message(data: string | Buffer, options: MessageOptions, callback?: WriteCallback): boolean {
    if (!this.#hasRoom()) return this.#skip(callback)
    if (options.fin) this.settings.traffic.sent++
    if (this.#writer === undefined && options.fin) {
      this.outbox.data(wholeMessage(options.isBinary), data, callback)
    } else {
      this.#writerForMore().message(data, options, callback)
    }
    return this.#isBelowMark()
  }

  /** Sends a message that is still to be read. */
  blob(blob: Blob, options: MessageOptions, callback?: WriteCallback): boolean {
    if (!this.#hasRoom()) return this.#skip(callback)
    if (options.fin) this.settings.traffic.sent++
    this.#writerForMore().blob(blob, options, callback)
    return this.#isBelowMark()
  }

  /** Sends a message that others get too; `false` when the peer is too slow to have it. */
  deliver(message: PreparedMessage, limits: SlowLimits): boolean {
    if (this.readyState !== 1 || !this.#hasRoom(limits)) return false
    this.settings.traffic.sent++
    if (this.#writer !== undefined) this.#writer.prepared(message)
    else if (this.outbox.isMasked) {
      this.outbox.octets(wholeMessage(message.isBinary), message.payload)
    } else {
      this.outbox.share(message.plain)
    }
    return true
  }

  /** Sends a control frame. */
  control(opcode: number, payload: Buffer, callback?: WriteCallback): void {
    if (this.#writer === undefined) this.outbox.octets(opcode | FIN, payload, callback)
    else this.#writer.control(opcode | FIN, payload, callback)
  }

  #writerForMore(): MessageWriter {
    return (this.#writer ??= new MessageWriter(this.outbox, undefined, this))
  }

  #hasRoom(limits: SlowLimits = this.settings): boolean {
    const { maxBufferedAmount = this.settings.maxBufferedAmount, slowPolicy = this.settings.slowPolicy } =
      limits
    if (this.bufferedAmount <= maxBufferedAmount) return true
    if (slowPolicy === 'terminate') this.terminate(slowPeerError(this.bufferedAmount))
    return false
  }

  #isBelowMark(): boolean {
    const isBelow = this.bufferedAmount < this.socket.writableHighWaterMark
    if (!isBelow) this.#oweDrain()
    return isBelow
  }

  #skip(callback: WriteCallback | undefined): false {
    if (callback !== undefined) process.nextTick(callback, slowPeerError(this.bufferedAmount))
    this.#oweDrain()
    return false
  }

  #oweDrain(): void {
    if (this.owesDrain) return
    this.owesDrain = true
    if (channels.backpressure.hasSubscribers) {
      channels.backpressure.publish({ socket: this.emitter, bufferedAmount: this.bufferedAmount })
    }
    // Behind the flush of this turn, which the socket may take whole.
    process.nextTick(drainWhenTaken, this, this.socket)
  }

  /** Whether so much waits for the peer that it is not read from; only if a `'drain'` is to come, which ends that. */
  protected isOverrun(): boolean {
    return (
      this.bufferedAmount > this.settings.maxBufferedAmount / 2 &&
      (this.socket.writableNeedDrain || this.isBusy)
    )
  }
}

/** The first octet of a message in one frame, not compressed (RFC 6455 section 5.2). */
function wholeMessage(isBinary: boolean): number {
  return FIN | (isBinary ? Opcode.binary : Opcode.text)
}
