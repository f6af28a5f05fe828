import { processorTime } from '../processor-time.js'

/**
 * @typedef {object} Sample
 * @property {number} perSecond messages (deliveries, handshakes) a second
 * @property {number | null} cpu microseconds of the server's processor time for each of them
 * @property {number | null} serverBusy share of the time in which the server process was running
 * @property {number | null} clientBusy the same of the load client
 * @property {number | null} p50 median round trip of a batch, microseconds
 * @property {number | null} p99
 * @property {number | null} p999 the 99.9th percentile
 */

/** Counts messages between the end of the warm-up and the end of the measurement. */
export class Measurement {
  /**
   * @param {object} options
   * @param {number} options.pid the server's
   * @param {number} options.warmUp seconds
   * @param {number} options.seconds
   * @param {(sample: Sample) => void} done
   */
  constructor({ pid, warmUp, seconds }, done) {
    this.#pid = pid
    this.#seconds = seconds
    this.#done = done
    this.#begin = performance.now() + warmUp * 1000
  }

  #pid
  #seconds
  #done
  #begin
  #startedAt = 0
  #end = Infinity
  #count = 0
  #serverTime = /** @type {number | null} */ (null)
  #clientTime = process.cpuUsage()
  /** @type {number[]} */
  #roundTrips = []

  /**
   * @param {number} messages that have been answered
   * @param {number} sentAt the time at which they were sent
   * @returns {number} the time now
   */
  note(messages, sentAt) {
    const now = performance.now()
    this.#count += messages
    this.#roundTrips.push(now - sentAt)
    if (now >= this.#end) this.#finish(now)
    else if (now >= this.#begin) this.#start(now)
    return now
  }

  /** @param {number} now */
  #start(now) {
    this.#begin = Infinity
    this.#count = 0
    this.#roundTrips = []
    this.#serverTime = processorTime(this.#pid)
    this.#clientTime = process.cpuUsage()
    this.#startedAt = now
    this.#end = now + this.#seconds * 1000
  }

  /** @param {number} now */
  #finish(now) {
    this.#end = Infinity
    const elapsed = (now - this.#startedAt) * 1000
    const after = processorTime(this.#pid)
    const server = after === null || this.#serverTime === null ? null : after - this.#serverTime
    const client = process.cpuUsage(this.#clientTime)
    this.#done({
      perSecond: (this.#count / elapsed) * 1e6,
      cpu: server === null ? null : server / this.#count,
      serverBusy: server === null ? null : server / elapsed,
      clientBusy: (client.user + client.system) / elapsed,
      ...quantilesOf(this.#roundTrips),
    })
  }
}

/** @param {number[]} times milliseconds */
export function quantilesOf(times) {
  const sorted = Float64Array.from(times).sort()
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), p999: quantile(sorted, 0.999) }
}

/**
 * @param {Float64Array} sorted milliseconds
 * @param {number} share
 * @returns {number | null} microseconds
 */
function quantile(sorted, share) {
  const value = sorted[Math.floor(share * (sorted.length - 1))]
  return value === undefined ? null : value * 1000
}
