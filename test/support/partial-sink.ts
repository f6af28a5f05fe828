import { Duplex } from 'node:stream'

type Done = (error?: Error | null) => void

/** A socket for which the test decides when a write is taken by the operating system, and whether at once. */
export class PartialSink extends Duplex {
  /** Whether a write is taken at once, like by a socket whose peer reads. */
  isOpen: boolean
  /** The bytes that were taken, one entry for each write. */
  readonly taken: Buffer[] = []
  /** Whether FIN was sent. */
  hasEnded = false
  #held: { bytes: Buffer; done: Done } | undefined

  constructor(isOpen = true, writableHighWaterMark = 16 * 1024) {
    super({ writableHighWaterMark })
    this.isOpen = isOpen
  }

  get bytes(): Buffer {
    return Buffer.concat(this.taken)
  }

  /** Takes the pending write. */
  release(): void {
    const held = this.#held
    this.#held = undefined
    if (held === undefined) return
    this.taken.push(held.bytes)
    held.done()
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#accept(Buffer.from(chunk), done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#accept(Buffer.concat(chunks.map(({ chunk }) => chunk)), done)
  }

  override _final(done: Done): void {
    this.hasEnded = true
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    // Like a net.Socket, it calls back for a pending write without an error.
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) process.nextTick(held.done)
    done(error)
  }

  #accept(bytes: Buffer, done: Done): void {
    // An empty write needs no room.
    if (!this.isOpen && bytes.length > 0) this.#held = { bytes, done }
    else {
      this.taken.push(bytes)
      done()
    }
  }
}
