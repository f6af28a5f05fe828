import { LONGEST_TIMER, withoutNulls } from '../options/checks.js'
import { describe } from '../options/describe.js'
import { randomMaskingKey } from '../sending/masking-keys.js'

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

/** A peer that is behind with its reading is expected to take this many bytes a look: 26 KiB/s with the defaults. */
const LEAST_READ_A_LOOK = 64 * 1024

/** The Pings of one connection's heartbeat. */
export class Beat {
  /** Milliseconds from a Ping to its Pong; of the last that was answered. */
  latency: number | undefined
  #key = 0
  #sentAt = 0
  /** Bytes that waited for the peer in front of the Ping. */
  #ahead = 0

  /** Begins a beat. @returns the payload of its Ping, which only its own Pong has */
  start(bytesAhead: number): Buffer {
    this.#key = randomMaskingKey()
    this.#sentAt = performance.now()
    this.#ahead = bytesAhead
    const payload = Buffer.alloc(4)
    payload.writeInt32BE(this.#key)
    return payload
  }

  /** Takes a Pong, which counts if it answers our Ping: peers may send others unasked (RFC 6455 section 5.5.3). */
  receive(payload: Buffer): void {
    if (this.#sentAt === 0 || payload.length !== 4 || payload.readInt32BE() !== this.#key) return
    this.latency = performance.now() - this.#sentAt
    this.#sentAt = 0
  }

  /** The peer has read what stood in front of the Ping. */
  readAhead(): void {
    this.#ahead = 0
  }

  /** Whether the peer may still be reading what stands in front of the Ping. @param looks - since the Pong was due */
  mayBeReading(looks: number): boolean {
    return this.#ahead > looks * LEAST_READ_A_LOOK
  }
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
