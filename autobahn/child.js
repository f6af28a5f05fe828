import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Milliseconds that a process has to end after SIGTERM. */
const PATIENCE = 10_000

/** A process that this program has started. */
export class Child {
  #process
  #lines

  /**
   * @param {string[]} command
   * @param {AbortSignal} signal ends it
   */
  constructor(command, signal) {
    signal.throwIfAborted()
    const [program = '', ...words] = command
    const environment = { ...process.env, PYTHONUNBUFFERED: '1' }
    this.#process = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'], env: environment })
    this.#lines = createInterface({ input: this.#process.stdout })

    /** @type {Promise<void>} rejects if the process ends with a status other than 0 or cannot be started */
    this.succeeded = new Promise((resolve, reject) => {
      this.#process.once('error', (cause) => reject(new Error(`${program} cannot be run`, { cause })))
      this.#process.once('close', (code, killer) => {
        if (code === 0) resolve()
        else reject(new Error(`${command.join(' ')} ended with ${code ?? killer}`))
      })
    })
    // A failure before anything awaits it is not an unhandled rejection.
    this.succeeded.catch(() => undefined)

    const end = () => void this.end()
    signal.addEventListener('abort', end)
    this.#process.once('close', () => signal.removeEventListener('abort', end))
  }

  /** @param {(line: string) => void} listener called with each line of the standard output */
  onLine(listener) {
    this.#lines.on('line', listener)
  }

  /** @returns {Promise<string>} */
  async firstLine() {
    const ended = this.succeeded.then(() => Promise.reject(new Error('the process ended without output')))
    const [line] = await Promise.race([once(this.#lines, 'line'), ended])
    return String(line)
  }

  get running() {
    return (
      this.#process.pid !== undefined && this.#process.exitCode === null && this.#process.signalCode === null
    )
  }

  /** Ends it with SIGTERM, after a while with SIGKILL, and resolves when it has ended. */
  async end() {
    if (!this.running) return
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), PATIENCE)
    this.#process.kill('SIGTERM')
    await this.succeeded.catch(() => undefined)
    clearTimeout(timer)
  }
}
