/** How dead peers are found. */
export interface HeartbeatOptions {
  /** A peer that was silent for so many milliseconds is sent a Ping; 25,000 by default. */
  interval?: number
  /** A peer that is silent for so many milliseconds after its Ping is gone; 20,000 by default. */
  timeout?: number
}

/** What a {@link Heartbeat} needs of a connection. */
export interface Pulse {
  /** The looks that found it silent, one after the other: the heartbeat counts them, and whatever comes sets it to 0. */
  silentLooks: number
  /** Sends the Ping that asks for a sign of life. */
  sendHeartbeat(): void
  /** Ends a connection whose peer is gone, unless it has a reason for its silence. @param looks - those since it was due */
  onSilence(looks: number): void
}

export const DEFAULT_INTERVAL = 25_000
export const DEFAULT_TIMEOUT = 20_000

/** How often each connection is looked at within the shorter of both times: how exactly they are kept. */
const LOOKS = 8

/** Those who connected together fall silent together: so many Pings, and the loop has others to serve (a Ping takes 24 µs). */
const PINGS_AT_ONCE = 250

/**
 * One timer for any number of connections, which counts looks and not milliseconds: a process that stood still (a long
 * computation, a suspended machine) has looked once, and judges nobody by its own silence. All traffic counts as life,
 * so a busy connection is never pinged.
 */
export class Heartbeat {
  readonly #step: number
  readonly #pingAt: number
  readonly #goneAt: number
  readonly #connections = new Set<Pulse>()
  #timer: NodeJS.Timeout | undefined

  /** @throws RangeError when a time is not a positive number of milliseconds */
  constructor({ interval = DEFAULT_INTERVAL, timeout = DEFAULT_TIMEOUT }: HeartbeatOptions = {}) {
    for (const time of [interval, timeout]) {
      if (!(time > 0 && time < 2 ** 31)) {
        throw new RangeError(
          `heartbeat.interval and .timeout are milliseconds above 0; ${time} is not (heartbeat: false turns it off)`,
        )
      }
    }
    this.#step = Math.max(1, Math.min(interval, timeout) / LOOKS)
    this.#pingAt = Math.ceil(interval / this.#step)
    this.#goneAt = this.#pingAt + Math.ceil(timeout / this.#step)
  }

  add(connection: Pulse): void {
    this.#connections.add(connection)
    // The sockets keep the process alive, not the timer that watches them.
    this.#timer ??= setInterval(() => {
      this.#look()
    }, this.#step).unref()
  }

  delete(connection: Pulse): void {
    this.#connections.delete(connection)
    if (this.#connections.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(rest: Iterable<Pulse> = this.#connections.values()): void {
    let pings = 0
    for (const connection of rest) {
      const looks = ++connection.silentLooks
      if (looks === this.#pingAt) {
        connection.sendHeartbeat()
        if (++pings === PINGS_AT_ONCE) {
          setImmediate(() => {
            this.#look(rest)
          })
          return
        }
      } else if (looks >= this.#goneAt) {
        connection.onSilence(looks - this.#goneAt)
      }
    }
  }
}
