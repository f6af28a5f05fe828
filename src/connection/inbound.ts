import type { AsyncResource } from 'node:async_hooks'
import type { Duplex } from 'node:stream'
import { Decoder, type DecoderSink } from '../protocol/decoder.js'
import type { MessageInflater } from '../protocol/message-inflater.js'
import { inTurn } from '../sending/turn.js'
import { type ShareHolder, spend, takeShare, waitForShare } from './fair-share.js'
import type { ConnectionSettings } from './settings.js'
import { TokenBucket } from './token-bucket.js'

/** What an {@link Inbound} reports to, in the async context of which everything is reported. */
export interface InboundOwner extends DecoderSink, AsyncResource {
  /** The peer's FIN, or the end of the socket, behind everything that came before it. */
  onInputEnd(): void
}

/** Why messages are held back. */
export const Hold = {
  /** The application called `pause()`. */
  paused: 1,
  /** An async `'connection'` listener has not settled, or a client's socket has no consumer yet. */
  early: 2,
  /** A `for await` loop is not waiting for a message. */
  iterating: 4,
  /** A message was delivered in this turn of the event loop, and the next belongs to another. */
  turn: 8,
} as const

/**
 * Bytes that are read ahead of a reader that holds its messages back, so that the peer's Close frame and FIN are noticed
 * behind them. Beyond that the peer has to wait.
 */
const READ_AHEAD = 64 * 1024

/** How long reading stands still for a peer that takes nothing of what it caused us to write, in milliseconds. */
const LONGEST_STOP = 1000

/**
 * The way in: from the socket through the decoder to the owner, in order. A message is delivered before the next frame
 * is looked at, and the peer's FIN after all that came before it. It stops where the application holds messages back,
 * where a share of work is used up, and where the peer does not read what its own messages made us write.
 */
export class Inbound implements ShareHolder {
  /** Bytes of frames that the socket has read. */
  bytesReceived = 0
  readonly #socket: Duplex
  readonly #owner: InboundOwner
  readonly #decoder: Decoder
  readonly #settings: ConnectionSettings
  readonly #messageTokens: TokenBucket | undefined
  /** Made with the first Ping or Pong. */
  #controlTokens: TokenBucket | undefined
  #holds = 0
  #isReleased = false
  #isReading = true
  #waitsForShare = false
  /** The socket has ended, and the owner has not been told. */
  #endIsDue = false
  /** Bytes that wait for the peer because of what it sent itself, and the timer while they stop reading. */
  #caused = 0
  #stopTimer: NodeJS.Timeout | undefined

  constructor(socket: Duplex, settings: ConnectionSettings, owner: InboundOwner, inflater?: MessageInflater) {
    this.#socket = socket
    this.#owner = owner
    this.#settings = settings
    if (settings.messageRate !== undefined) this.#messageTokens = new TokenBucket(settings.messageRate)
    this.#decoder = new Decoder(owner, settings.decoder, inflater)
  }

  /** Whether messages are held back, for one of the reasons in {@link Hold} or for that one. */
  isHeld(reason?: number): boolean {
    return (reason === undefined ? this.#holds : this.#holds & reason) !== 0
  }

  /** Whether the socket is being read, so that the peer's silence means something. */
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

  /** Reads a chunk. It belongs to the decoder from here on. */
  push(chunk: Buffer): void {
    this.bytesReceived += chunk.length
    // Who has used up its share waits for the next round, in however many chunks it sends on.
    const share = this.#waitsForShare ? this.#decoder.allowance : takeShare()
    this.#decoder.allowance = share
    this.#decoder.push(chunk)
    this.#settle(share)
  }

  /** The socket has nothing more: the owner is told so once all before it is delivered. */
  end(): void {
    this.#endIsDue = true
    this.#tellEnd()
  }

  /** Delivers no more messages until {@link release}; control frames in front of the next message are still read. */
  hold(reason: number): void {
    if (this.#isReleased) return
    this.#holds |= reason
    this.#decoder.holdMessages()
  }

  /** Goes on in the next tick, unless there is another reason to hold: what was held comes as fresh input would. */
  release(reason: number): void {
    if ((this.#holds & reason) === 0) return
    this.#holds &= ~reason
    if (this.#holds === 0) process.nextTick(releaseLater, this)
  }

  /** Holds messages until the next turn of the event loop. */
  holdForTurn(): void {
    this.hold(Hold.turn)
    setImmediate(endTurn, this)
  }

  /** Goes on at once and for good, whatever reason there is to hold: messages are no longer delivered. */
  releaseAll(): void {
    this.#isReleased = true
    this.#holds = 0
    this.goOn()
  }

  /** Ends the input, and returns the number of messages that were held back and are lost. */
  discard(): number {
    clearTimeout(this.#stopTimer)
    return this.#decoder.discard()
  }

  /** A message that was inflated in the background has been delivered. */
  settle(): void {
    this.#settle(this.#decoder.allowance)
  }

  /** @param bytes - by how much more waits for the peer since what it sent was handled */
  countCaused(bytes: number): void {
    if (bytes > 0) this.#caused += bytes
  }

  readShare(): void {
    this.#waitsForShare = false
    this.goOn()
  }

  /** Reads on in the context of the connection, with a new share, unless messages are held back. */
  goOn(): void {
    this.#owner.runInAsyncScope(inTurn<Inbound, undefined>, undefined, this, undefined, readOn)
  }

  /** What {@link goOn} does. */
  readOn(): void {
    const share = takeShare()
    this.#decoder.allowance = share
    if (this.#holds === 0) this.#decoder.release()
    else this.#decoder.resume()
    this.#settle(share)
  }

  /**
   * Stops reading while more than `limit` bytes wait that the peer itself has caused, until it has taken most of them.
   * What the application sends by itself does not count: with that, two ends that both send would wait for each other.
   */
  regulate(waiting: number, limit: number): void {
    if (waiting === 0) this.#caused = 0
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

  /** Reads again, whatever waits: that is for `maxBufferedAmount` to limit. */
  endStop(): void {
    clearTimeout(this.#stopTimer)
    this.#stopTimer = undefined
    this.#caused = 0
    this.#updateFlow()
  }

  #settle(share: number): void {
    const decoder = this.#decoder
    spend(share - decoder.allowance)
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
    const reads = this.#stopTimer === undefined && this.#decoder.heldLength <= READ_AHEAD
    if (reads === this.#isReading) return
    this.#isReading = reads
    if (reads) this.#socket.resume()
    else this.#socket.pause()
  }
}

function releaseLater(inbound: Inbound): void {
  if (!inbound.isHeld()) inbound.goOn()
}

function endTurn(inbound: Inbound): void {
  inbound.release(Hold.turn)
}

function readOn(inbound: Inbound): void {
  inbound.readOn()
}

function endStop(inbound: Inbound): void {
  inbound.endStop()
}
