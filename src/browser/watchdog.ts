import type { Sendable } from './environment.js'
import type { PingSettings } from './options.js'

/**
 * Detects a dead connection: nothing has arrived for `interval`, and nothing arrives within `timeout` after a ping. A
 * page can neither send nor see Ping frames, so the ping is a message, which the server has to answer.
 */
export class Watchdog {
  /** Milliseconds from the last ping to its answer. */
  latency: number | undefined
  readonly #settings: PingSettings
  readonly #send: (message: Sendable) => void
  readonly #onDead: () => void
  #timer: ReturnType<typeof setTimeout> | undefined
  /** When the timer should fire. While a laptop sleeps, the clock runs and timers do not. */
  #due = 0
  #heardAt = Date.now()
  #sentAt = 0
  /** A ping has been sent, and nothing has arrived since. */
  #isDoubtful = false
  #isUnanswered = false
  #hasSlept = false

  constructor(settings: PingSettings, send: (message: Sendable) => void, onDead: () => void) {
    this.#settings = settings
    this.#send = send
    this.#onDead = onDead
    this.#wait(settings.interval)
  }

  /** Any message is a sign of life. Returns whether it is the answer to a ping, which the page does not receive. */
  hear(data: unknown): boolean {
    this.#heardAt = Date.now()
    if (this.#isDoubtful) {
      this.#isDoubtful = this.#hasSlept = false
      this.#wait(this.#settings.interval)
    }
    if (!this.#isUnanswered || !this.#settings.isAnswer(data)) return false
    this.#isUnanswered = false
    this.latency = this.#heardAt - this.#sentAt
    return true
  }

  /** Asks for a sign of life now, unless there was one a moment ago: the machine has slept, or changed its network. */
  probe(): void {
    if (!this.#isDoubtful && Date.now() - this.#heardAt >= this.#settings.timeout) this.#ping()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #wait(delay: number): void {
    clearTimeout(this.#timer)
    this.#due = Date.now() + delay
    this.#timer = setTimeout(this.#onTimer, delay)
  }

  #ping(): void {
    this.#isDoubtful = this.#isUnanswered = true
    this.#sentAt = Date.now()
    this.#wait(this.#settings.timeout)
    this.#send(this.#settings.message)
  }

  readonly #onTimer = (): void => {
    const now = Date.now()
    if (this.#isDoubtful) {
      // A timer that fires this late was suspended with the machine, and the answer may be about to be read: ask once more.
      if (now - this.#due > this.#settings.timeout && !this.#hasSlept) {
        this.#hasSlept = true
        this.#ping()
      } else this.#onDead()
      return
    }
    const silence = now - this.#heardAt
    // A silence below zero means that the clock was set back.
    if (silence < 0 || silence >= this.#settings.interval) this.#ping()
    else this.#wait(this.#settings.interval - silence)
  }
}
