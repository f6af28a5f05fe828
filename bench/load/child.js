import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** Milliseconds to wait for a line of a process. */
const PATIENCE = 60_000

/** A process that answers in lines on its standard output and exits when its standard input ends. */
export class Child {
  /**
   * @param {string[]} command
   * @param {Record<string, string>} [environment]
   */
  constructor(command, environment = {}) {
    const [program = '', ...options] = command
    this.#process = spawn(program, options, { env: { ...process.env, ...environment } })
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
    this.#ended = new Promise((resolve) => {
      this.#process.once('close', resolve)
      this.#process.once('error', resolve)
    })
    this.#process.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      this.#complaint += text
    })
    this.#process.stdin.on('error', () => {})
  }

  #process
  #lines
  /** @type {Promise<unknown>} */
  #ended
  #complaint = ''

  /** What it wrote to the standard error; for a stack trace, the line with the message. */
  get complaint() {
    const lines = this.#complaint.trim().split('\n')
    return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines[0] ?? ''
  }

  get pid() {
    return this.#process.pid ?? 0
  }

  /** @returns {Promise<string>} the next line */
  async line() {
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), PATIENCE)
    const next = /** @type {IteratorResult<string, undefined>} */ (await this.#lines.next())
    clearTimeout(timer)
    if (!next.done) return next.value
    await this.#ended
    throw new Error(this.complaint || 'exited without an answer, or did not answer in time')
  }

  /** @param {string} line */
  write(line) {
    this.#process.stdin.write(`${line}\n`)
  }

  /** Ends its standard input, and kills it if it does not exit. */
  async end() {
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 2000)
    this.#process.stdin.end()
    await this.#ended
    clearTimeout(timer)
  }
}
