/** The most times its length to which a deadline is extended, however much the peer reads or sends. */
const LONGEST = 10

/**
 * A time limit that counts from the last sign of life. A peer that still reads what was sent to it gets more time, but at
 * most ten times the limit.
 */
export class Deadline {
  readonly #timeout: number
  readonly #onExpired: () => void
  readonly #lastPossible: number
  #due: number
  #timer: NodeJS.Timeout | undefined

  /** @param timeout - milliseconds; `Infinity` never expires */
  constructor(timeout: number, onExpired: () => void) {
    const now = performance.now()
    this.#timeout = timeout
    this.#onExpired = onExpired
    this.#due = now + timeout
    this.#lastPossible = now + timeout * LONGEST
    if (timeout !== Infinity) this.#arm(timeout)
  }

  /** The peer took or sent something: the time starts again. */
  putOff(): void {
    this.#due = Math.min(performance.now() + this.#timeout, this.#lastPossible)
  }

  /** Starts the time again after it has expired. Returns `false` if the longest possible time is over. */
  renew(): boolean {
    const left = this.#lastPossible - performance.now()
    if (left <= 0) return false
    this.clear()
    this.#arm(Math.min(this.#timeout, left))
    this.putOff()
    return true
  }

  clear(): void {
    clearTimeout(this.#timer)
  }

  #arm(milliseconds: number): void {
    this.#timer = setTimeout(() => {
      const left = this.#due - performance.now()
      // A timer may fire up to 1 ms early.
      if (left > 1) this.#arm(left)
      else this.#onExpired()
    }, milliseconds)
  }
}
