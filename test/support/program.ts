import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A program that runs beside the test, with the lines of its outputs and its exit. */
export class Program {
  /** The lines of both outputs so far, in order. */
  readonly lines: string[] = []
  readonly exit: Promise<Exit>

  readonly #child: ChildProcessWithoutNullStreams
  readonly #searches = new Set<() => void>()
  #ended = false

  constructor(path: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const child = spawn(path, args, { env: { ...process.env, ...environment } })
    this.#child = child
    this.exit = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        this.#ended = true
        this.#search()
        resolve({ code, signal })
      })
    })
    // A program that cannot be started exits without output. A pending line() rejects with the reason.
    child.on('error', (error) => this.lines.push(error.message))
    // A program that exits before it has read its input gives the reason on its outputs.
    child.stdin.on('error', () => {})
    for (const output of [child.stdout, child.stderr]) {
      createInterface({ input: output }).on('line', (line) => {
        this.lines.push(line)
        this.#search()
      })
    }
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Writes and ends its standard input. */
  input(text: string): void {
    this.#child.stdin.end(text)
  }

  /** Resolves to the first line that matches, written already or later. Rejects when the program exits without one. */
  line(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      let next = 0
      const search = (): void => {
        for (; next < this.lines.length; next++) {
          const match = pattern.exec(this.lines[next]!)
          if (match === null) continue
          this.#searches.delete(search)
          resolve(match)
          return
        }
        if (!this.#ended) return
        this.#searches.delete(search)
        reject(
          new Error(`The program ended without a line like ${String(pattern)}:\n${this.lines.join('\n')}`),
        )
      }
      this.#searches.add(search)
      search()
    })
  }

  /** Sends a signal, for example to pause or continue it; see {@link stop} to end it. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Asks it to exit, and waits until it has. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    if (!this.#ended) this.#child.kill(signal)
    return this.exit
  }

  #search(): void {
    for (const search of this.#searches) search()
  }
}
