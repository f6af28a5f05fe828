import { Duplex } from 'node:stream'

type Done = (error?: Error | null) => void

/** A socket of which a test decides when the operating system takes what was written, and whether it does so at once. */
export class PartialSink extends Duplex {
  /** Whether a write is taken at once, as by a socket whose peer reads. */
  isOpen: boolean
  /** What was taken, one entry for each write. */
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

  /** Takes the write that waits. */
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
    // As a net.Socket does: a write that was pending is called back without an error.
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
