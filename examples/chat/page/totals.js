// Adds up the samples that all processes send at /ws/stats, second by second.

/**
 * @typedef {{ connections: number, rooms: number, received: number, sent: number, slow: number, broadcasts: number, delivered: number }} Counts
 * @typedef {Counts & { process: { id: string, pid: number, uptime: number } }} Sample
 */

export const SECONDS = 60
/** Milliseconds of silence after which a process is not counted. */
const SILENCE = 3000

/** @type {Counts} */
const NOTHING = { connections: 0, rooms: 0, received: 0, sent: 0, slow: 0, broadcasts: 0, delivered: 0 }

export class Totals {
  /** The last minute, the newest last. @type {Counts[]} */
  seconds = []
  /** The process on the other end of the connection. Its samples begin the seconds. */
  #own = ''
  /** @type {Map<string, { sample: Sample, heardAt: number }>} */
  #latest = new Map()

  /**
   * Takes a message. Returns whether it began a new second.
   *
   * @param {string} text
   */
  add(text) {
    /** @type {{ own?: string, samples: Sample[] }} */
    const { own, samples } = JSON.parse(text)
    if (own !== undefined) {
      this.#own = own
      this.seconds = samples
    }
    for (const sample of samples) this.#latest.set(sample.process.id, { sample, heardAt: Date.now() })
    if (own === undefined && samples.every(({ process }) => process.id !== this.#own)) return false
    if (own === undefined) this.seconds = [...this.seconds, this.#sum()].slice(-SECONDS)
    return true
  }

  /** The latest samples of the running processes. The process on the other end of the connection is first. */
  get processes() {
    const now = Date.now()
    const all = [...this.#latest.values()].filter(({ heardAt }) => now - heardAt < SILENCE)
    const samples = all.map(({ sample }) => sample)
    return samples.sort(
      (one, other) => Number(other.process.id === this.#own) - Number(one.process.id === this.#own),
    )
  }

  /** The newest second. */
  get now() {
    return this.seconds.at(-1) ?? NOTHING
  }

  /** One count over the last minute, with zeros for the time before the first sample. @param {keyof Counts} name */
  series(name) {
    const values = this.seconds.map((each) => each[name])
    return [...Array.from({ length: SECONDS - values.length }, () => 0), ...values]
  }

  #sum() {
    const sum = { ...NOTHING }
    for (const sample of this.processes) {
      for (const name of /** @type {(keyof Counts)[]} */ (Object.keys(sum))) sum[name] += sample[name]
    }
    return sum
  }
}
