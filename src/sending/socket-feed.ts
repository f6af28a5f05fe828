import type { Duplex } from 'node:stream'
import { Queue } from './queue.js'
import { type CallbackOwner, type Reason, runLater, type SendCallback } from './send-callback.js'

/**
 * Longer pieces are written to the socket in slices, so that the progress of a slow peer is visible. A write of 1 MiB
 * takes 96 µs whole, 112 µs in slices of this size and 125 µs in slices of 256 KiB; its echo takes 700 µs and more. A
 * socket that had to wait gets shorter ones.
 */
export const SLICE: number = 512 * 1024
const SLICE_FOR_SLOW_PEER = 64 * 1024

/**
 * Shorter pieces that wait behind others are copied into one: with a Buffer for each, 4 MB in frames of 20 bytes took 81 MB.
 * The memory for them doubles each time that it is full, between these sizes.
 */
const JOINED_BELOW = 512
const SMALLEST_JOINT = 256
const LARGEST_JOINT = SLICE_FOR_SLOW_PEER

const NOTHING = Buffer.alloc(0)

/** The owner of a {@link SocketFeed}. */
export interface FeedOwner extends CallbackOwner {
  /** The operating system has taken bytes that had to wait. */
  onTaken(): void
  /** The socket's `write` threw. */
  onWriteFailed(failure: unknown): void
}

/** Bytes that are written together. */
interface Piece {
  bytes: Buffer
  /** The bytes of messages among them, before compression. */
  payload: number
  callbacks: SendCallback[] | undefined
}

/** The piece that waits last, and the memory in which others are joined to it. */
interface Joint {
  readonly piece: Piece
  readonly memory: Buffer
}

/** Data that was written to the socket and that it has not taken. */
interface Flight {
  length: number
  payload: number
  callbacks: SendCallback[] | undefined
}

/**
 * Writes bytes to a socket, one write at a time, and keeps the rest. Therefore data that was not written can still
 * be dropped, and the number of taken bytes is exact.
 *
 * A write was taken if `writableLength` is 0, which is so right after a `write` that completed synchronously. The
 * write's callback proves less: Node.js calls it without an error too when the socket was destroyed in the meantime.
 */
export class SocketFeed {
  /** Bytes that the operating system has not taken. */
  length = 0
  /** The bytes of messages among them, before compression. */
  payload = 0
  /** Bytes that the operating system has taken. */
  taken = 0

  readonly #socket: Duplex
  readonly #owner: FeedOwner
  #waiting: Queue<Piece> | undefined
  #joint: Joint | undefined
  #flight: Flight | undefined
  /** Whether the next write is expected to complete later, as the last one did. Then it gets a callback. */
  #expectsWait: boolean
  /** Whether the last write had to wait. */
  #hasWaited = false
  #isWriting = false
  #isEnding = false
  /** The socket's `write` threw. */
  #isBroken = false
  /** Why nothing more is sent. */
  #cause: Reason | undefined

  /** @param expectsWait - whether the first write is expected to complete later */
  constructor(socket: Duplex, owner: FeedOwner, expectsWait: boolean) {
    this.#socket = socket
    this.#owner = owner
    this.#expectsWait = expectsWait
  }

  /** Whether the socket can still be written to. */
  get isOpen(): boolean {
    return this.#cause === undefined && !this.#isBroken && this.#socket.writable
  }

  /** Whether the socket has not taken what it was given. */
  get isWaiting(): boolean {
    return this.#flight !== undefined
  }

  /** Whether everything was taken at once, so that this object is no longer needed. */
  get isDone(): boolean {
    return (
      this.length === 0 &&
      !this.#isWriting &&
      !this.#expectsWait &&
      !this.#isEnding &&
      this.#cause === undefined
    )
  }

  /** Whether bytes of this length would be kept as they are until the socket has taken what is in front of them. */
  keeps(length: number): boolean {
    return this.#flight !== undefined && !this.#joins(length)
  }

  /** Adds bytes that leave with the next {@link send} or {@link pump}. */
  add(bytes: Buffer, payload: number, callbacks: SendCallback[] | undefined): void {
    this.length += bytes.length
    this.payload += payload
    this.#waiting ??= new Queue()
    if (this.#joins(bytes.length)) this.#join(this.#waiting, bytes, payload, callbacks)
    else {
      this.#joint = undefined
      this.#waiting.push({ bytes, payload, callbacks })
    }
  }

  /** Accounts for bytes that were just written to the socket, and goes on with those that were added meanwhile. */
  adopt(length: number, payload: number, callbacks: SendCallback[] | undefined): void {
    this.length += length
    this.payload += payload
    const flight = this.#flight
    if (flight === undefined) this.#conclude(length, payload, callbacks, undefined)
    else {
      flight.length += length
      flight.payload += payload
      if (callbacks !== undefined) flight.callbacks = [...callbacks, ...(flight.callbacks ?? [])]
    }
    this.pump()
  }

  /** The socket's `write` threw. */
  break(failure: unknown): void {
    this.#isBroken = true
    process.nextTick(() => {
      this.#owner.onWriteFailed(failure)
    })
  }

  /** Writes queued bytes, as long as the socket takes them. */
  pump(): void {
    if (this.#isWriting) return
    this.#isWriting = true
    while (this.#flight === undefined && !this.#isEmpty() && this.isOpen) this.#handOver()
    this.#isWriting = false
    if (this.#isEnding && this.#flight === undefined && this.#isEmpty() && this.isOpen) this.#socket.end()
  }

  /** Sends FIN after everything. */
  end(): void {
    this.#isEnding = true
    this.pump()
  }

  /** The socket may have taken what it was given. */
  drain(): void {
    if (this.#flight !== undefined && this.#hasTakenAll()) this.#land(this.#flight)
  }

  /** Drops what was not taken: its callbacks get the cause. The amounts stay as they are. */
  fail(cause: Reason): void {
    this.#cause = cause
    this.#joint = undefined
    const callbacks = [...(this.#flight?.callbacks ?? [])]
    this.#flight = undefined
    for (let piece = this.#waiting?.shift(); piece !== undefined; piece = this.#waiting?.shift()) {
      if (piece.callbacks !== undefined) callbacks.push(...piece.callbacks)
    }
    if (callbacks.length > 0) runLater(callbacks, cause, this.#owner)
  }

  #isEmpty(): boolean {
    return this.#waiting === undefined || this.#waiting.length === 0
  }

  #joins(length: number): boolean {
    return length < JOINED_BELOW && this.#flight !== undefined && !this.#isEmpty()
  }

  #join(waiting: Queue<Piece>, bytes: Buffer, payload: number, callbacks: SendCallback[] | undefined): void {
    const before = this.#joint
    let joint = before
    if (joint === undefined || joint.memory.length - joint.piece.bytes.length < bytes.length) {
      const size = before === undefined ? SMALLEST_JOINT : Math.min(before.memory.length * 2, LARGEST_JOINT)
      const memory = Buffer.allocUnsafeSlow(Math.max(size, bytes.length))
      joint = { piece: { bytes: NOTHING, payload: 0, callbacks: undefined }, memory }
      this.#joint = joint
      waiting.push(joint.piece)
    }
    const { piece, memory } = joint
    memory.set(bytes, piece.bytes.length)
    piece.bytes = memory.subarray(0, piece.bytes.length + bytes.length)
    piece.payload += payload
    if (callbacks !== undefined) (piece.callbacks ??= []).push(...callbacks)
  }

  /** Gives the socket one slice, of several pieces or a part of one. */
  #handOver(): void {
    this.#joint = undefined
    const waiting = this.#waiting!
    const slice = this.#hasWaited ? SLICE_FOR_SLOW_PEER : SLICE
    let length = 0
    let payload = 0
    const callbacks: SendCallback[] = []
    const flight = this.#expectsWait ? emptyFlight() : undefined
    const isCorked = waiting.length > 1 && waiting.first!.bytes.length < slice
    if (isCorked) this.#socket.cork()
    for (let piece = waiting.first; piece !== undefined && length < slice; piece = waiting.first) {
      let bytes = piece.bytes
      let taken = piece.payload
      if (bytes.length > slice) {
        bytes = piece.bytes.subarray(0, slice)
        piece.bytes = piece.bytes.subarray(slice)
        // A header precedes its payload.
        taken -= Math.min(taken, piece.bytes.length)
        piece.payload -= taken
      } else {
        waiting.shift()
        if (piece.callbacks !== undefined) callbacks.push(...piece.callbacks)
      }
      length += bytes.length
      payload += taken
      this.#write(bytes, length >= slice || this.#isEmpty() ? flight : undefined)
    }
    if (isCorked) this.#socket.uncork()
    this.#conclude(length, payload, callbacks.length > 0 ? callbacks : undefined, flight)
  }

  /** @param flight - the write that is complete when these bytes are taken, unless that is known at once */
  #write(bytes: Buffer, flight: Flight | undefined): void {
    try {
      if (flight === undefined) this.#socket.write(bytes)
      else {
        this.#socket.write(bytes, (error) => {
          if (!error && this.#flight === flight && !this.#isBroken && isIntact(this.#socket))
            this.#land(flight)
        })
      }
    } catch (failure) {
      this.break(failure)
    }
  }

  /** Counts what was just written as taken or in flight. */
  #conclude(
    length: number,
    payload: number,
    callbacks: SendCallback[] | undefined,
    expected: Flight | undefined,
  ): void {
    if (this.#cause !== undefined) {
      // The write to an in-process stream was reentrant.
      if (callbacks !== undefined) runLater(callbacks, this.#cause, this.#owner)
      return
    }
    this.#expectsWait = this.#hasWaited = !this.#hasTakenAll()
    if (!this.#expectsWait) {
      this.#take(length, payload, callbacks)
      return
    }
    const flight = expected ?? emptyFlight()
    flight.length = length
    flight.payload = payload
    flight.callbacks = callbacks
    this.#flight = flight
    // Below the high-water mark no 'drain' follows. The callback of an empty write shows when the bytes are taken.
    if (expected === undefined && !this.#socket.writableNeedDrain && this.isOpen) this.#write(NOTHING, flight)
  }

  /** The operating system has taken what had to wait. */
  #land(flight: Flight): void {
    this.#flight = undefined
    this.#take(flight.length, flight.payload, flight.callbacks)
    this.pump()
    this.#owner.onTaken()
  }

  #hasTakenAll(): boolean {
    return !this.#isBroken && hasTakenAll(this.#socket)
  }

  #take(length: number, payload: number, callbacks: SendCallback[] | undefined): void {
    this.length -= length
    this.payload -= payload
    this.taken += length
    if (callbacks !== undefined) runLater(callbacks, undefined, this.#owner)
  }
}

/** Whether a socket has taken everything that was written to it. */
export function hasTakenAll(socket: Duplex): boolean {
  return socket.writableLength === 0 && isIntact(socket)
}

function isIntact(socket: Duplex): boolean {
  return !socket.destroyed && !socket.errored
}

function emptyFlight(): Flight {
  return { length: 0, payload: 0, callbacks: undefined }
}
