import { Duplex } from 'node:stream'

type Done = (error?: Error | null) => void

/**
 * One end of a connection within the process. It records what would be calls into the operating system, and takes
 * nothing while it is stalled.
 */
export class MemoryDuplex extends Duplex {
  /** The written bytes, one entry for each call that a socket would make: a write, or several gathered into one. */
  readonly batches: Buffer[][] = []
  #other: MemoryDuplex | undefined
  #isStalled = false
  #held: { batch: Buffer[]; done: Done } | undefined

  private constructor() {
    super({ allowHalfOpen: true })
  }

  static pair(): [MemoryDuplex, MemoryDuplex] {
    const [one, other] = [new MemoryDuplex(), new MemoryDuplex()]
    one.#other = other
    other.#other = one
    return [one, other]
  }

  /** All written bytes. */
  get bytes(): Buffer {
    return Buffer.concat(this.batches.flat())
  }

  /** Takes no more bytes, like a socket whose peer does not read. */
  stall(): void {
    this.#isStalled = true
  }

  /** Takes the pending bytes, and those that follow. */
  release(): void {
    this.#isStalled = false
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) this.#send(held.batch, held.done)
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send([chunk], done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    )
  }

  override _final(done: Done): void {
    this.#other?.push(null)
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    const other = this.#other
    this.#other = undefined
    // The other end sees a lost connection.
    if (other?.readableEnded === false) process.nextTick(() => other.destroy())
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) process.nextTick(held.done, error ?? new Error('The connection is lost'))
    done(error)
  }

  #send(batch: Buffer[], done: Done): void {
    if (this.#isStalled) {
      this.#held = { batch, done }
      return
    }
    this.batches.push(batch)
    const other = this.#other
    // Not within the write, like a socket: Node's streams lose data that is written while they gather several writes.
    process.nextTick(() => {
      for (const chunk of batch) other?.push(Buffer.from(chunk))
      done()
    })
  }
}
