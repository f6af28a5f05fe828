import type { AsyncResource } from 'node:async_hooks'
import type { Duplex } from 'node:stream'
import { Decoder, type DecoderSink } from '../protocol/decoder.js'
import type { MessageInflater } from '../protocol/message-inflater.js'
import { inTurn } from '../sending/turn.js'
import { type ShareHolder, spend, takeShare, waitForShare } from './fair-share.js'
import type { ConnectionSettings } from './settings.js'
import { TokenBucket } from './token-bucket.js'

/** The owner of an {@link Inbound}, which reports everything in the owner's async context. */
export interface InboundOwner extends DecoderSink, AsyncResource {
  /** The peer's FIN, or the end of the socket, after everything that was received before it. */
  onInputEnd(): void
}

/** Why messages are held. */
export const Hold = {
  /** The application called `pause()`. */
  paused: 1,
  /** An async `'connection'` listener has not settled, or a client's socket has no consumer yet. */
  early: 2,
  /** A `for await` loop is not waiting for a message. */
  iterating: 4,
  /** A message was delivered in this turn of the event loop, and the next one has to wait for another turn. */
  turn: 8,
} as const

/**
 * Bytes that are read ahead while messages are held, so that the peer's Close frame and FIN after them
 * are noticed. Beyond that the peer has to wait.
 */
const READ_AHEAD = 64 * 1024

/** How long reading stops for a peer that takes none of the output that it caused, in milliseconds. */
const LONGEST_STOP = 1000

/**
 * The input of a connection: from the socket through the decoder to the owner, in order. A message is delivered before
 * the next frame is read, and the peer's FIN after everything before it. Reading stops while the application holds
 * messages, while a share of work is used up, and while the peer does not read the output that its own messages caused.
 */
export class Inbound implements ShareHolder {
  /** Bytes of frames that the socket has read. */
  bytesReceived = 0
  readonly #socket: Duplex
  readonly #owner: InboundOwner
  readonly #decoder: Decoder
  readonly #settings: ConnectionSettings
  readonly #messageTokens: TokenBucket | undefined
  /** Created with the first Ping or Pong. */
  #controlTokens: TokenBucket | undefined
  #holds = 0
  #isReleased = false
  #isReading = true
  #waitsForShare = false
  /** The socket has ended, and this has not been reported to the owner. */
  #endIsDue = false
  /** Queued bytes that the peer's own messages caused, and the timer while they stop reading. */
  #caused = 0
  #stopTimer: NodeJS.Timeout | undefined

  constructor(socket: Duplex, settings: ConnectionSettings, owner: InboundOwner, inflater?: MessageInflater) {
    this.#socket = socket
    this.#owner = owner
    this.#settings = settings
    if (settings.messageRate !== undefined) this.#messageTokens = new TokenBucket(settings.messageRate)
    this.#decoder = new Decoder(owner, settings.decoder, inflater)
  }

  /** Whether messages are held, for one of the reasons in {@link Hold} or for that one. */
  isHeld(reason?: number): boolean {
    return (reason === undefined ? this.#holds : this.#holds & reason) !== 0
  }

  /** Whether messages are held, or wait for a share of work. */
  get isBehind(): boolean {
    return this.#holds !== 0 || this.#waitsForShare
  }

  /** Whether the socket is being read. Otherwise the peer's silence means nothing. */
  get isReading(): boolean {
    return this.#isReading
  }

  /** Whether `messageRate` admits another message now. */
  admitsMessage(): boolean {
    return this.#messageTokens === undefined || this.#messageTokens.take()
  }

  /** Whether `controlFrameRate` admits another Ping or Pong now. */
  admitsControl(): boolean {
    const { controlFrameRate } = this.#settings
    if (controlFrameRate === undefined) return true
    return (this.#controlTokens ??= new TokenBucket(controlFrameRate)).take()
  }

  /** Reads a chunk, which the decoder owns from then on. */
  push(chunk: Buffer): void {
    this.bytesReceived += chunk.length
    // A connection that has used up its share waits for the next round, however many chunks arrive.
    const share = this.#waitsForShare ? this.#decoder.allowance : takeShare()
    this.#decoder.allowance = share
    this.#decoder.push(chunk)
    this.#afterReading(share)
  }

  /** The socket has ended, which is reported to the owner once everything before it is delivered. */
  end(): void {
    this.#endIsDue = true
    this.#tellEnd()
  }

  /** Delivers no more messages until {@link release}. Control frames before the next message are still read. */
  hold(reason: number): void {
    if (this.#isReleased) return
    this.#holds |= reason
    this.#decoder.holdMessages()
    this.#updateFlow()
  }

  /** Continues in the next tick, unless there is another reason to hold. Held messages are delivered like new input. */
  release(reason: number): void {
    if ((this.#holds & reason) === 0) return
    this.#holds &= ~reason
    this.#updateFlow()
    if (this.#holds === 0) process.nextTick(releaseLater, this)
  }

  /** Holds messages until the next turn of the event loop. */
  holdForTurn(): void {
    this.hold(Hold.turn)
    setImmediate(endTurn, this)
  }

  /** Continues at once and permanently, whatever the reasons to hold: messages are no longer delivered. */
  releaseAll(): void {
    this.#isReleased = true
    this.#holds = 0
    this.readInContext()
  }

  /** Ends the input, and returns the number of held messages, which are lost. */
  discard(): number {
    clearTimeout(this.#stopTimer)
    return this.#decoder.discard()
  }

  /** A message that was inflated on the thread pool has been delivered. */
  inflated(): void {
    this.#afterReading(this.#decoder.allowance)
  }

  /** Counts output that was queued while the peer's input was handled. */
  countCaused(before: number, after: number): void {
    if (before === 0) this.#caused = 0
    if (after > before) this.#caused += after - before
  }

  readShare(): void {
    this.#waitsForShare = false
    this.readInContext()
  }

  /** Continues to read in the context of the connection, with a new share, unless messages are held. */
  readInContext(): void {
    this.#owner.runInAsyncScope(inTurn<Inbound, undefined>, undefined, this, undefined, read)
  }

  /** The implementation of {@link readInContext}. */
  read(): void {
    const share = takeShare()
    this.#decoder.allowance = share
    if (this.#holds === 0) this.#decoder.release()
    else this.#decoder.resume()
    this.#afterReading(share)
  }

  /**
   * Stops reading while more than `limit` bytes are queued that the peer itself has caused, until it has taken most of
   * them. What the application sends by itself does not count: otherwise two ends that both send would wait for each
   * other.
   */
  regulate(waiting: number, limit: number): void {
    const isOver = Math.min(this.#caused, waiting) > (this.#stopTimer === undefined ? limit : limit / 2)
    if (isOver && this.#stopTimer === undefined) {
      this.#stopTimer = setTimeout(endStop, LONGEST_STOP, this)
      this.#updateFlow()
    } else if (isOver) {
      this.#stopTimer?.refresh()
    } else if (this.#stopTimer !== undefined) {
      this.endStop()
    }
  }

  /** Continues to read, whatever is queued: `maxBufferedAmount` limits that. */
  endStop(): void {
    clearTimeout(this.#stopTimer)
    this.#stopTimer = undefined
    this.#caused = 0
    this.#updateFlow()
  }

  #afterReading(share: number): void {
    const decoder = this.#decoder
    spend(share - decoder.allowance)
    // The usual case, in which everything was delivered.
    if (decoder.heldLength === 0 && this.#isReading && !this.#endIsDue) return
    if (decoder.isExhausted && decoder.heldLength > 0 && !this.#waitsForShare) {
      this.#waitsForShare = true
      waitForShare(this)
    }
    this.#tellEnd()
    this.#updateFlow()
  }

  #tellEnd(): void {
    if (!this.#endIsDue || this.#decoder.heldLength > 0) return
    this.#endIsDue = false
    this.#owner.onInputEnd()
  }

  #updateFlow(): void {
    const stops = this.isHeld(Hold.paused) && !this.#settings.preset.readsAhead
    const reads = !stops && this.#stopTimer === undefined && this.#decoder.heldLength <= READ_AHEAD
    if (reads === this.#isReading) return
    this.#isReading = reads
    if (reads) this.#socket.resume()
    else this.#socket.pause()
  }
}

function releaseLater(inbound: Inbound): void {
  if (!inbound.isHeld()) inbound.readInContext()
}

function endTurn(inbound: Inbound): void {
  inbound.release(Hold.turn)
}

function read(inbound: Inbound): void {
  inbound.read()
}

function endStop(inbound: Inbound): void {
  inbound.endStop()
}
