import type { Duplex } from 'node:stream'
import type { MessageDeflater } from '../protocol/message-deflater.js'
import { FIN } from '../protocol/opcodes.js'
import type { ConnectionEmitter } from './connection-events.js'
import { slowPeerError } from './connection-error.js'
import type { ConnectionSettings } from './connection-settings.js'
import { channels } from './diagnostics.js'
import type { SlowLimits } from './member.js'
import { type MessageOptions, MessageWriter, type WriterOwner } from './message-writer.js'
import { Outbox, type WriteCallback } from './outbox.js'
import type { PreparedMessage } from './prepared-message.js'
import { drainWhenTaken } from './socket-listeners.js'

/**
 * What goes out of a connection: how much may wait for the peer, what becomes of more, and when the sender is told to
 * go on. A class of its own and not an object, of which each idle connection would have one.
 */
export abstract class Outgoing implements WriterOwner {
  protected readonly socket: Duplex
  protected readonly settings: ConnectionSettings
  protected readonly emitter: ConnectionEmitter
  protected readonly outbox: Outbox
  protected readonly writer: MessageWriter
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
    this.writer = new MessageWriter(this.outbox, deflater, this)
  }

  abstract get readyState(): 1 | 2 | 3
  abstract terminate(cause?: Error): void
  abstract drain(): void
  abstract onWriterIdle(): void

  get bufferedAmount(): number {
    return this.writer.bufferedAmount
  }

  /** Sends a message or a fragment; `false` asks to wait for `'drain'`. */
  message(data: string | Buffer, options: MessageOptions, callback?: WriteCallback): boolean {
    if (!this.#hasRoom()) return this.#skip(callback)
    if (options.fin) this.settings.traffic.sent++
    this.writer.message(data, options, callback)
    return this.#isBelowMark()
  }

  /** Sends a message that is still to be read. */
  blob(blob: Blob, options: MessageOptions, callback?: WriteCallback): boolean {
    if (!this.#hasRoom()) return this.#skip(callback)
    if (options.fin) this.settings.traffic.sent++
    this.writer.blob(blob, options, callback)
    return this.#isBelowMark()
  }

  /** Sends a message that others get too; `false` when the peer is too slow to have it. */
  deliver(message: PreparedMessage, limits: SlowLimits): boolean {
    if (this.readyState !== 1 || !this.#hasRoom(limits)) return false
    this.settings.traffic.sent++
    this.writer.prepared(message)
    return true
  }

  /** Sends a Ping or a Pong. */
  control(opcode: number, payload: Buffer, callback?: WriteCallback): void {
    this.writer.control(opcode | FIN, payload, callback)
  }

  #hasRoom(limits: SlowLimits = this.settings): boolean {
    const { maxBufferedAmount = this.settings.maxBufferedAmount, slowPolicy = this.settings.slowPolicy } =
      limits
    if (this.writer.bufferedAmount <= maxBufferedAmount) return true
    if (slowPolicy === 'terminate') this.terminate(slowPeerError(this.writer.bufferedAmount))
    return false
  }

  #isBelowMark(): boolean {
    const isBelow = this.writer.bufferedAmount < this.socket.writableHighWaterMark
    if (!isBelow) this.#oweDrain()
    return isBelow
  }

  #skip(callback: WriteCallback | undefined): false {
    if (callback !== undefined) process.nextTick(callback, slowPeerError(this.writer.bufferedAmount))
    this.#oweDrain()
    return false
  }

  #oweDrain(): void {
    if (this.owesDrain) return
    this.owesDrain = true
    if (channels.backpressure.hasSubscribers) {
      channels.backpressure.publish({ socket: this.emitter, bufferedAmount: this.writer.bufferedAmount })
    }
    // Behind the flush of this turn, which the socket may take whole.
    process.nextTick(drainWhenTaken, this, this.socket)
  }

  /** Whether so much waits for the peer that it is not read from; only if a `'drain'` is to come, which ends that. */
  protected isOverrun(): boolean {
    return (
      this.writer.bufferedAmount > this.settings.maxBufferedAmount / 2 &&
      (this.socket.writableNeedDrain || this.writer.isBusy)
    )
  }
}
