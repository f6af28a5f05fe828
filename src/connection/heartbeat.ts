/** How dead peers are found. */
export interface HeartbeatOptions {
  /** A peer that was silent for so many milliseconds is sent a Ping; 25,000 by default. */
  interval?: number
  /** A peer that is silent for so many milliseconds after its Ping is gone; 20,000 by default. */
  timeout?: number
}

/** What a {@link Heartbeat} needs of a connection. */
export interface Pulse {
  /** Whether octets came since the last look; reading it starts the next look. */
  takeSignOfLife(): boolean
  /** Sends the Ping that asks for a sign of life. */
  sendHeartbeat(): void
  /** Ends a connection whose peer is gone. */
  onSilence(silence: number): void
}

export const DEFAULT_INTERVAL = 25_000
export const DEFAULT_TIMEOUT = 20_000

/** How often each connection is looked at within the shorter of both times: how exactly they are kept. */
const LOOKS = 8

interface Beat {
  heardAt: number
  pingedAt: number | undefined
}

/**
 * One timer for any number of connections. All traffic counts as life, so a busy connection is never pinged; a look
 * at an idle one costs some tens of nanoseconds.
 */
export class Heartbeat {
  readonly #interval: number
  readonly #timeout: number
  readonly #beats = new Map<Pulse, Beat>()
  #timer: NodeJS.Timeout | undefined
  #step = 0
  #lookedAt = 0

  /** @throws RangeError when a time is not a positive number of milliseconds */
  constructor({ interval = DEFAULT_INTERVAL, timeout = DEFAULT_TIMEOUT }: HeartbeatOptions = {}) {
    for (const time of [interval, timeout]) {
      if (!(time > 0 && time < 2 ** 31)) {
        throw new RangeError(
          `heartbeat.interval and .timeout are milliseconds above 0; ${time} is not (false turns it off)`,
        )
      }
    }
    this.#interval = interval
    this.#timeout = timeout
  }

  add(connection: Pulse): void {
    this.#beats.set(connection, { heardAt: performance.now(), pingedAt: undefined })
    if (this.#timer !== undefined) return
    this.#step = Math.max(1, Math.min(this.#interval, this.#timeout) / LOOKS)
    this.#lookedAt = performance.now()
    // The sockets keep the process alive, not the timer that watches them.
    this.#timer = setInterval(() => {
      this.#look(performance.now())
    }, this.#step).unref()
  }

  delete(connection: Pulse): void {
    this.#beats.delete(connection)
    if (this.#beats.size > 0 || this.#timer === undefined) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(now: number): void {
    // After the process stood still (a long computation, a suspended machine) what came meanwhile is read first:
    // nobody is judged by our own silence.
    const stoodStill = now - this.#lookedAt > this.#timeout / 2 + this.#step
    this.#lookedAt = now
    if (stoodStill) return
    for (const [connection, beat] of this.#beats) {
      if (connection.takeSignOfLife()) {
        beat.heardAt = now
        beat.pingedAt = undefined
      } else if (beat.pingedAt === undefined) {
        if (now - beat.heardAt < this.#interval) continue
        beat.pingedAt = now
        connection.sendHeartbeat()
      } else if (now - beat.pingedAt >= this.#timeout) {
        connection.onSilence(now - beat.heardAt)
      }
    }
  }
}
