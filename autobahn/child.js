import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** How long a process may take to end after it was asked to. */
const PATIENCE = 10_000

/**
 * A process of ours. It is ended through its handle, so that nothing else on the machine is touched.
 */
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

    /** @type {Promise<void>} rejects when the process ended with anything but 0, or never began */
    this.succeeded = new Promise((resolve, reject) => {
      this.#process.once('error', (cause) => reject(new Error(`${program} cannot be run`, { cause })))
      this.#process.once('close', (code, killer) => {
        if (code === 0) resolve()
        else reject(new Error(`${command.join(' ')} ended with ${code ?? killer}`))
      })
    })
    // Whoever awaits it learns of the failure; that nobody does yet is not an error of its own.
    this.succeeded.catch(() => undefined)

    const end = () => void this.end()
    signal.addEventListener('abort', end)
    this.#process.once('close', () => signal.removeEventListener('abort', end))
  }

  /** @param {(line: string) => void} listener what it says on its standard output */
  onLine(listener) {
    this.#lines.on('line', listener)
  }

  /** @returns {Promise<string>} */
  async firstLine() {
    const ended = this.succeeded.then(() => Promise.reject(new Error('ended without a word')))
    const [line] = await Promise.race([once(this.#lines, 'line'), ended])
    return String(line)
  }

  get running() {
    return (
      this.#process.pid !== undefined && this.#process.exitCode === null && this.#process.signalCode === null
    )
  }

  /** Asks it to end, insists after a while, and resolves when it has ended. */
  async end() {
    if (!this.running) return
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), PATIENCE)
    this.#process.kill('SIGTERM')
    await this.succeeded.catch(() => undefined)
    clearTimeout(timer)
  }
}
