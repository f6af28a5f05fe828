import type { Rate } from '../options/checks.js'

/** Enforces a {@link Rate}: each action takes a token, and tokens are added over time, up to the burst. */
export class TokenBucket {
  readonly #perMillisecond: number
  readonly #burst: number
  #tokens: number
  #at: number

  /** @param now - milliseconds on a monotonic clock, as for {@link take} */
  constructor({ perSecond, burst = perSecond }: Rate, now: number = performance.now()) {
    this.#perMillisecond = perSecond / 1000
    this.#burst = burst
    this.#tokens = burst
    this.#at = now
  }

  /** Takes a token; `false` if there is none. */
  take(now: number = performance.now()): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#perMillisecond)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
