import { toError } from '../options/thrown.js'
import type { MessageDeflater } from '../protocol/message-deflater.js'
import { FIN, Opcode, RSV1 } from '../protocol/opcodes.js'
import type { FrameSequence } from './frame-sequence.js'
import { COPIED_BELOW, type Outbox } from './outbox.js'
import type { PreparedMessage } from './prepared-message.js'
import { Queue } from './queue.js'
import { type CallbackOwner, type Reason, runLater, type SendCallback } from './send-callback.js'

/** How one message or fragment is sent. */
export interface MessageOptions {
  readonly isBinary: boolean
  /** Whether it is compressed, if compression was negotiated and it is long enough. */
  readonly compress: boolean
  /** Whether the message ends with it. */
  readonly fin: boolean
}

/** The owner of a {@link MessageWriter}. */
export interface WriterOwner extends CallbackOwner {
  /** No message is waiting for a compression or a Blob any more. */
  onWriterIdle(): void
  /** A compression or a Blob failed, so a message or a part of one would be missing. */
  onWriterFailed(cause: Error): void
}

/** An entry that waits for a compression or a Blob: its own, or one before it. */
interface Job {
  /** The bytes that it counts as until it is a frame. */
  readonly length: number
  /** The bytes of a message among them; 0 for a control frame. */
  readonly payload: number
  readonly callback: SendCallback | undefined
  /** Makes the frame of one that waited. */
  readonly send?: () => void
}

/**
 * Creates the frames of messages that are not a single plain frame: fragments (RFC 6455 section 5.4), compression
 * (RFC 7692 section 6.1), and the order of all frames while a long message is compressed on the thread pool or a Blob
 * is read.
 */
export class MessageWriter {
  /** Bytes queued here. A message that is not yet a frame counts with its payload. */
  length = 0
  /** The bytes of messages among them. */
  payload = 0
  /**
   * Bytes of shared messages that wait for the application's last fragment of an unfinished message, not for the peer.
   */
  held = 0

  readonly #outbox: Outbox
  readonly #deflater: MessageDeflater | undefined
  readonly #owner: WriterOwner

  /** Whether a message is unfinished, and whether its first fragment was compressed. */
  #isFragmented = false
  #isCompressed = false
  #behindFragments: PreparedMessage[] | undefined

  /** The entry that is being compressed or read. */
  #running: Job | undefined
  #waiting: Queue<Job> | undefined
  /** Why nothing more is sent. */
  #cause: Reason | undefined

  constructor(outbox: Outbox, deflater: MessageDeflater | undefined, owner: WriterOwner) {
    this.#outbox = outbox
    this.#deflater = deflater
    this.#owner = owner
  }

  /** Whether frames wait for a compression or a Blob. */
  get isBusy(): boolean {
    return this.#running !== undefined
  }

  addMessage(data: string | Buffer, options: MessageOptions, callback?: SendCallback): void {
    if (this.#running === undefined) {
      this.#writeMessage(data, options, callback)
      return
    }
    const length = Buffer.byteLength(data)
    const kept = keep(data)
    this.#wait(length, length, callback, () => {
      this.#writeMessage(kept, options, callback)
    })
  }

  /** Adds a message whose bytes have to be read first. */
  addBlob(blob: Blob, options: MessageOptions, callback?: SendCallback): void {
    if (this.#running === undefined) this.#readBlob(blob, options, callback)
    else {
      this.#wait(blob.size, blob.size, callback, () => {
        this.#readBlob(blob, options, callback)
      })
    }
  }

  /** @param first - the frame's first byte */
  addControl(first: number, payload: Buffer, callback?: SendCallback): void {
    if (this.#running === undefined) this.#outbox.addBytes(first, payload, 0, callback)
    else {
      const kept = Buffer.from(payload)
      this.#wait(payload.length, 0, callback, () => {
        this.#outbox.addBytes(first, kept, 0, callback)
      })
    }
  }

  /** Adds bytes that are frames already. */
  addFrames(frames: FrameSequence, callback?: SendCallback): void {
    if (this.#running === undefined) this.#outbox.addShared(frames, callback)
    else {
      this.#wait(frames.length, frames.payloadLength, callback, () => {
        this.#outbox.addShared(frames, callback)
      })
    }
  }

  /** Adds a message that other connections send too. It waits for the last fragment of an unfinished message. */
  addShared(message: PreparedMessage): void {
    if (this.#running === undefined) this.#writeShared(message)
    else {
      const { length } = message.payload
      this.#wait(length, length, undefined, () => {
        this.#writeShared(message)
      })
    }
  }

  /** Drops the shared messages after a message that will never be finished. */
  dropHeld(): void {
    this.#behindFragments = undefined
    this.length -= this.held
    this.payload -= this.held
    this.held = 0
  }

  /** Drops everything that is queued: the callbacks get the cause. The amounts stay as they are. */
  fail(cause: Reason): void {
    this.#cause = cause
    this.#behindFragments = undefined
    this.#giveUp(cause)
  }

  #giveUp(cause: Reason): void {
    const callbacks: SendCallback[] = []
    for (let job = this.#running ?? this.#waiting?.shift(); job !== undefined; job = this.#waiting?.shift()) {
      if (job.callback !== undefined) callbacks.push(job.callback)
    }
    this.#running = undefined
    if (callbacks.length > 0) runLater(callbacks, cause, this.#owner)
  }

  #writeMessage(data: string | Buffer, options: MessageOptions, callback: SendCallback | undefined): void {
    const deflater = this.#deflater
    const opcode = this.#isFragmented ? Opcode.continuation : options.isBinary ? Opcode.binary : Opcode.text
    let first = options.fin ? opcode | FIN : opcode
    if (deflater !== undefined && !this.#isFragmented) {
      this.#isCompressed = options.compress && Buffer.byteLength(data) >= deflater.settings.threshold
      if (this.#isCompressed) first |= RSV1
    }
    this.#isFragmented = !options.fin
    // Nothing is compressed for a destroyed socket. The callback gets the socket's error.
    if (deflater !== undefined && this.#isCompressed && this.#outbox.isOpen) {
      this.#writeCompressed(first, data, deflater, callback)
    } else if (typeof data === 'string') this.#outbox.addText(first, data, callback)
    else this.#outbox.addBytes(first, data, data.length, callback)
    if (options.fin && this.#behindFragments !== undefined) this.#writeHeld(this.#behindFragments)
  }

  #writeCompressed(
    first: number,
    data: string | Buffer,
    deflater: MessageDeflater,
    callback: SendCallback | undefined,
  ): void {
    const payload = typeof data === 'string' ? Buffer.from(data) : data
    const { length } = payload
    if (deflater.isQuick(payload)) {
      let compressed: Buffer
      try {
        compressed = deflater.deflateNow(payload, first >= FIN)
      } catch (failure) {
        this.#start(length, callback)
        this.#owner.onWriterFailed(failure as Error)
        return
      }
      this.#outbox.addBytes(first, compressed, length, callback)
      return
    }
    const job = this.#start(length, callback)
    deflater.deflateLater(keep(payload), first >= FIN, (error, compressed) => {
      this.#finish(job, error, () => {
        this.#outbox.addBytes(first, compressed, length, callback)
      })
    })
  }

  #readBlob(blob: Blob, options: MessageOptions, callback: SendCallback | undefined): void {
    const job = this.#start(blob.size, callback)
    blob.arrayBuffer().then(
      (bytes) => {
        this.#finish(job, null, () => {
          this.#writeMessage(Buffer.from(bytes), options, callback)
        })
      },
      (error: unknown) => {
        if (this.#cause !== undefined) return
        const { message } = toError(error)
        this.#owner.onWriterFailed(
          error instanceof Error
            ? error
            : new Error(`A Blob could not be read: ${message}`, { cause: error }),
        )
      },
    )
  }

  #writeShared(message: PreparedMessage): void {
    const deflater = this.#deflater
    const { length } = message.payload
    if (this.#isFragmented) {
      this.length += length
      this.payload += length
      this.held += length
      this.#behindFragments ??= []
      this.#behindFragments.push(message)
    } else if (this.#outbox.isMasked) {
      this.#writeMessage(
        message.payload,
        { isBinary: message.isBinary, compress: message.compress, fin: true },
        undefined,
      )
    } else if (deflater === undefined) {
      this.#outbox.addShared(message.plain)
    } else {
      const frame = message.deflated(deflater)
      if (frame !== undefined) this.#addCompressed(message, frame, deflater)
      else {
        const job = this.#start(length, undefined)
        message.deflateLater(deflater.settings, (error, later) => {
          this.#finish(job, error, () => {
            this.#addCompressed(message, later, deflater)
          })
        })
      }
    }
  }

  #addCompressed(
    message: PreparedMessage,
    frame: ReturnType<PreparedMessage['deflated']> & object,
    deflater: MessageDeflater,
  ): void {
    if (frame !== message.plain) deflater.forget()
    this.#outbox.addShared(frame)
  }

  #writeHeld(messages: PreparedMessage[]): void {
    this.dropHeld()
    for (const message of messages) this.addShared(message)
  }

  /** Makes everything that follows wait. */
  #start(length: number, callback: SendCallback | undefined): Job {
    const job: Job = { length, payload: length, callback }
    this.#running = job
    this.length += length
    this.payload += length
    return job
  }

  #wait(length: number, payload: number, callback: SendCallback | undefined, send: () => void): void {
    this.length += length
    this.payload += payload
    this.#waiting ??= new Queue()
    this.#waiting.push({ length, payload, callback, send })
  }

  /** Sends the entry that was waited for, and then those after it, up to the next one that must be waited for. */
  #finish(job: Job, error: Error | null, send: () => void): void {
    if (this.#cause !== undefined) return
    if (error !== null) {
      this.#owner.onWriterFailed(error)
      return
    }
    // Entries that a job adds come before the rest: shared messages that were held after its fragments.
    const rest = this.#waiting
    this.#waiting = undefined
    this.#running = undefined
    this.#leave(job, send)
    while (this.#running === undefined && this.#cause === undefined) {
      const next = rest?.shift()
      if (next === undefined) {
        this.#owner.onWriterIdle()
        return
      }
      this.#leave(next, next.send!)
    }
    this.#waitAgain(rest)
  }

  #waitAgain(rest: Queue<Job> | undefined): void {
    if (this.#waiting === undefined) this.#waiting = rest
    else {
      for (let job = rest?.shift(); job !== undefined; job = rest?.shift()) this.#waiting.push(job)
    }
    if (this.#cause !== undefined) this.#giveUp(this.#cause)
  }

  #leave(job: Job, send: () => void): void {
    // The turn begins first, because the bytes of the job were queued before it.
    this.#outbox.beginTurn()
    this.length -= job.length
    this.payload -= job.payload
    send()
  }
}

/** Short data that is sent later is copied, so that the caller may reuse its Buffer at once. */
function keep<Data extends string | Buffer>(data: Data): Data | Buffer {
  return typeof data !== 'string' && data.length < COPIED_BELOW ? Buffer.from(data) : data
}
