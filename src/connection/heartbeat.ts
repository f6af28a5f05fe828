import { LONGEST_TIMER, withoutNulls } from '../options/checks.js'
import { describe } from '../options/describe.js'
import { randomMaskingKey } from '../sending/masking-keys.js'

/** How dead peers are detected. */
export interface HeartbeatOptions {
  /** Milliseconds of silence after which a peer is sent a Ping; 25,000 by default. */
  interval?: number
  /** Milliseconds of silence after the Ping, after which the connection is terminated; 20,000 by default. */
  timeout?: number
}

/** What a {@link Heartbeat} requires from a connection. */
export interface Pulse {
  /**
   * The number of consecutive checks without a received byte. The heartbeat counts them, and any input resets it to 0.
   */
  silentLooks: number
  /** Sends a Ping. */
  sendHeartbeat(): void
  /**
   * Ends a connection whose peer is gone, unless its silence has a reason.
   *
   * @param looks - the checks since the Pong was due
   */
  onSilence(looks: number): void
}

/** A peer that has not read everything yet is expected to take this many bytes per check: 26 KiB/s with the defaults. */
const LEAST_READ_A_LOOK = 64 * 1024

/** The Pings of one connection's heartbeat. */
export class Beat {
  /** Milliseconds from the last answered Ping to its Pong. */
  latency: number | undefined
  #key = 0
  #sentAt = 0
  /** Bytes that were queued before the Ping. */
  #ahead = 0

  /** Begins a beat. @returns the payload of its Ping, which identifies its Pong */
  start(bytesAhead: number): Buffer {
    this.#key = randomMaskingKey()
    this.#sentAt = performance.now()
    this.#ahead = bytesAhead
    const payload = Buffer.alloc(4)
    payload.writeInt32BE(this.#key)
    return payload
  }

  /**
   * Handles a Pong, which counts only if it answers our Ping: peers may send unsolicited ones (RFC 6455 section 5.5.3).
   */
  receive(payload: Buffer): void {
    if (this.#sentAt === 0 || payload.length !== 4 || payload.readInt32BE() !== this.#key) return
    this.latency = performance.now() - this.#sentAt
    this.#sentAt = 0
  }

  /** The peer has read what was queued before the Ping. */
  readAhead(): void {
    this.#ahead = 0
  }

  /** Whether the peer may still be reading what was queued before the Ping. @param looks - since the Pong was due */
  mayBeReading(looks: number): boolean {
    return this.#ahead > looks * LEAST_READ_A_LOOK
  }
}

export const DEFAULT_INTERVAL = 25_000
export const DEFAULT_TIMEOUT = 20_000

/** How often each connection is checked within the shorter of both times, which determines their precision. */
const LOOKS = 8

/**
 * The most Pings in one turn of the event loop: clients that connected together fall silent together (a Ping takes 24
 * µs).
 */
const PINGS_AT_ONCE = 250

/**
 * One timer for any number of connections, which counts checks instead of milliseconds. A process that was blocked (by
 * a long computation or a suspended machine) has checked once, and does not mistake its own pause for silence. All
 * traffic counts, so a busy connection is never pinged.
 */
export class Heartbeat {
  readonly #step: number
  readonly #pingAt: number
  readonly #goneAt: number
  readonly #connections = new Set<Pulse>()
  #timer: NodeJS.Timeout | undefined

  /** @throws RangeError when a time is not a positive number of milliseconds */
  constructor(options: HeartbeatOptions = {}) {
    const { interval = DEFAULT_INTERVAL, timeout = DEFAULT_TIMEOUT } = withoutNulls(options)
    checkTime('heartbeat.interval', interval)
    checkTime('heartbeat.timeout', timeout)
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

function checkTime(name: string, milliseconds: number): void {
  if (typeof milliseconds === 'number' && milliseconds > 0 && milliseconds <= LONGEST_TIMER) return
  throw new RangeError(
    `${name} must be milliseconds above 0, at most ${LONGEST_TIMER}; it is ${describe(milliseconds)} ` +
      '(heartbeat: false turns the heartbeat off)',
  )
}
