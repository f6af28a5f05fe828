/** Counts the bytes of one connection up to a whole batch, and compares the first batch byte for byte. */
export class BatchCounter {
  /**
   * @param {Buffer} answer the bytes of each batch
   * @param {() => void} complete called when all of it has arrived
   */
  constructor(answer, complete) {
    this.#answer = answer
    this.#length = answer.length
    this.#complete = complete
  }

  #answer
  #length
  #complete
  #received = 0
  #compared = false

  /** Bytes of the current batch that have arrived. */
  get received() {
    return this.#received
  }

  /**
   * @param {number} size
   * @param {Uint8Array} bytes
   */
  receive(size, bytes) {
    if (!this.#compared) this.#compare(size, bytes)
    this.#received += size
    if (this.#received < this.#length) return
    if (this.#received > this.#length) throw new Error('more bytes than expected')
    this.#received = 0
    this.#compared = true
    this.#complete()
  }

  /**
   * @param {number} size
   * @param {Uint8Array} bytes
   */
  #compare(size, bytes) {
    const expected = this.#answer.subarray(this.#received, this.#received + size)
    if (!expected.equals(bytes.subarray(0, size))) throw new Error('the answer differs from what was sent')
  }
}

/**
 * What receives the bytes of a connection if several batches may arrive together.
 *
 * @param {Buffer} answer the bytes of each batch
 * @param {() => void} complete called for each batch
 * @returns {(size: number, bytes: Uint8Array) => void}
 */
export function receiverOf(answer, complete) {
  const counter = new BatchCounter(answer, complete)
  return (size, bytes) => {
    for (let at = 0; at < size;) {
      const part = Math.min(size - at, answer.length - counter.received)
      counter.receive(part, bytes.subarray(at, at + part))
      at += part
    }
  }
}
