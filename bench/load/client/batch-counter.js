/** Counts one connection's octets up to a whole batch; the first batch is compared octet for octet. */
export class BatchCounter {
  /**
   * @param {Buffer} answer what is expected, again and again
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

  /**
   * @param {number} size
   * @param {Uint8Array} octets
   */
  receive(size, octets) {
    if (!this.#compared) this.#compare(size, octets)
    this.#received += size
    if (this.#received < this.#length) return
    if (this.#received > this.#length) throw new Error('more octets than expected')
    this.#received = 0
    this.#compared = true
    this.#complete()
  }

  /**
   * @param {number} size
   * @param {Uint8Array} octets
   */
  #compare(size, octets) {
    const expected = this.#answer.subarray(this.#received, this.#received + size)
    if (!expected.equals(octets.subarray(0, size))) throw new Error('the answer differs from what was sent')
  }
}
