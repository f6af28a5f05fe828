import { createInterface } from 'node:readline'

/** A message begins with the time of its publication, in microseconds of the machine's monotonic clock. */
const TIME_LENGTH = 16

/** Microseconds of the monotonic clock, which is the same in all processes. */
export function now() {
  return Number(process.hrtime.bigint() / 1000n)
}

/** @param {number} bytes */
export function messageOf(bytes) {
  return String(now()).padStart(TIME_LENGTH, '0').padEnd(bytes, '.')
}

/**
 * Answers each line of the standard input with a line of JSON, and ends with it.
 *
 * @param {(line: string) => unknown} answer
 */
export function serve(answer) {
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      void Promise.resolve(answer(line)).then((result) => say(result))
    })
    .on('close', () => process.exit())
}

/** @param {unknown} value */
export function say(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

/** Counts what arrives, and measures how long it took when it is asked to. */
export class Sink {
  received = 0
  /** When the last one came, when its time is measured. */
  last = 0
  /** @type {number[] | undefined} */
  #delays

  /** @param {(raw: any) => string} textOf the text of what `take` is given */
  constructor(textOf) {
    this.#textOf = textOf
  }

  #textOf

  /** @param {any} raw */
  take(raw) {
    this.received++
    if (this.#delays === undefined) return
    this.#delays.push(now() - Number(/\d{16}/.exec(this.#textOf(raw))?.[0]))
  }

  /** Answers `reset`, `measure` (which times each message), and `report`. @param {string} line */
  answer(line) {
    if (line !== 'report') {
      this.received = 0
      this.#delays = line === 'measure' ? [] : undefined
    }
    return { received: this.received, delays: this.#delays }
  }
}
