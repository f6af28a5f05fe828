import type { MessageDeflater } from '../protocol/message-deflater.js'
import { FIN, Opcode, RSV1 } from '../protocol/opcodes.js'
import type { Outbox, WriteCallback } from './outbox.js'
import type { PreparedMessage } from './prepared-message.js'

/** How one message or fragment is sent. */
export interface MessageOptions {
  readonly isBinary: boolean
  /** Whether it is compressed, where that was negotiated and it is long enough. */
  readonly compress: boolean
  /** Whether the message ends with it. */
  readonly fin: boolean
}

type Job = () => void

/** Who hears that compression in the background has caught up. */
export interface WriterOwner {
  onWriterIdle(): void
}

/**
 * Makes frames of messages where a message is not simply a frame: fragments (RFC 6455 section 5.4), compression
 * (RFC 7692 section 6.1), and the order of all frames while a long message is compressed on the thread pool or a Blob
 * is read.
 */
export class MessageWriter {
  readonly #outbox: Outbox
  readonly #deflater: MessageDeflater | undefined

  /** Whether a message is unfinished, and whether its first fragment was compressed. */
  #isFragmented = false
  #isCompressed = false
  #behindFragments: PreparedMessage[] | undefined

  /** What waits for the compression that runs; undefined while none does. */
  #jobs: Job[] | undefined
  #queuedAmount = 0
  readonly #owner: WriterOwner

  constructor(outbox: Outbox, deflater: MessageDeflater | undefined, owner: WriterOwner) {
    this.#outbox = outbox
    this.#deflater = deflater
    this.#owner = owner
  }

  /** Octets that wait here and in the outbox. */
  get bufferedAmount(): number {
    return this.#queuedAmount + this.#outbox.bufferedAmount
  }

  /** Whether frames wait for a compression. */
  get isBusy(): boolean {
    return this.#jobs !== undefined
  }

  message(data: string | Buffer, options: MessageOptions, callback?: WriteCallback): void {
    if (this.#jobs !== undefined) {
      this.#queue(this.#jobs, Buffer.byteLength(data), () => {
        this.message(data, options, callback)
      })
      return
    }
    const deflater = this.#deflater
    const opcode = this.#isFragmented ? Opcode.continuation : options.isBinary ? Opcode.binary : Opcode.text
    let first = options.fin ? opcode | FIN : opcode
    if (deflater !== undefined && !this.#isFragmented) {
      this.#isCompressed = options.compress && Buffer.byteLength(data) >= deflater.settings.threshold
      if (this.#isCompressed) first |= RSV1
    }
    this.#isFragmented = !options.fin
    if (deflater !== undefined && this.#isCompressed) this.#deflate(first, data, deflater, callback)
    else this.#outbox.data(first, data, callback)
    if (options.fin && this.#behindFragments !== undefined) this.#sendPrepared(this.#behindFragments)
  }

  /** A message of which the octets have to be read first. */
  blob(blob: Blob, options: MessageOptions, callback?: WriteCallback): void {
    if (this.#jobs !== undefined) {
      this.#queue(this.#jobs, blob.size, () => {
        this.blob(blob, options, callback)
      })
      return
    }
    this.#startWaiting(blob.size)
    blob.arrayBuffer().then(
      (octets) => {
        this.#endWaiting(blob.size, () => {
          this.message(Buffer.from(octets), options, callback)
        })
      },
      (error: unknown) => {
        this.#endWaiting(blob.size, () => {
          tellLater(callback, error as Error)
        })
      },
    )
  }

  /** A control frame. */
  control(first: number, payload: Buffer, callback?: WriteCallback): void {
    if (this.#jobs === undefined) this.#outbox.octets(first, payload, callback)
    else {
      this.#queue(this.#jobs, payload.length, () => {
        this.control(first, payload, callback)
      })
    }
  }

  /** A message that others send too. It cannot stand between the fragments of another, and waits for the last of them. */
  prepared(message: PreparedMessage): void {
    if (this.#jobs !== undefined) {
      this.#queue(this.#jobs, message.payload.length, () => {
        this.prepared(message)
      })
    } else if (this.#isFragmented) {
      this.#queuedAmount += message.payload.length
      this.#behindFragments ??= []
      this.#behindFragments.push(message)
    } else if (this.#outbox.isMasked) {
      this.message(message.payload, { isBinary: message.isBinary, compress: message.compress, fin: true })
    } else if (this.#deflater === undefined) {
      this.#outbox.share(message.plain)
    } else {
      const frame = message.deflated(this.#deflater.settings)
      if (frame !== message.plain) this.#deflater.forget()
      this.#outbox.share(frame)
    }
  }

  #sendPrepared(messages: PreparedMessage[]): void {
    this.#behindFragments = undefined
    for (const message of messages) {
      this.#queuedAmount -= message.payload.length
      this.prepared(message)
    }
  }

  #deflate(first: number, data: string | Buffer, deflater: MessageDeflater, callback?: WriteCallback): void {
    // To a socket that is gone nothing is worth compressing: its own error is what the callback gets.
    if (this.#outbox.isDestroyed) {
      this.#outbox.data(first, data, callback)
      return
    }
    const payload = typeof data === 'string' ? Buffer.from(data) : data
    if (deflater.isQuick(payload)) {
      this.#outbox.octets(first, deflater.deflateNow(payload, first >= FIN), callback)
      return
    }
    this.#startWaiting(payload.length)
    deflater.deflateLater(payload, first >= FIN, (error, compressed) => {
      this.#endWaiting(payload.length, () => {
        if (error !== null) tellLater(callback, error)
        else this.#outbox.octets(first, compressed, callback)
      })
    })
  }

  /** Makes all that follows wait. */
  #startWaiting(length: number): void {
    this.#jobs = []
    this.#queuedAmount += length
  }

  /** Sends what was waited for, and then what waited behind it, up to the next that must be waited for. */
  #endWaiting(length: number, send: () => void): void {
    const jobs = this.#jobs ?? []
    this.#jobs = undefined
    this.#queuedAmount -= length
    send()
    let index = 0
    while (index < jobs.length && this.#jobs === undefined) jobs[index++]!()
    if (this.#jobs === undefined) this.#owner.onWriterIdle()
    else {
      // Behind what the job that must be waited for has put there itself: broadcasts which its message held back.
      for (; index < jobs.length; index++) (this.#jobs as Job[]).push(jobs[index]!)
    }
  }

  #queue(jobs: Job[], length: number, job: Job): void {
    this.#queuedAmount += length
    jobs.push(() => {
      this.#queuedAmount -= length
      job()
    })
  }
}

/** Not at once: what the callback sends goes behind what waits, and what it throws keeps none of that back. */
function tellLater(callback: WriteCallback | undefined, error: Error): void {
  if (callback !== undefined) process.nextTick(callback, error)
}
