import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Gap } from 'hubwire'
import { onTestFinished } from 'vitest'

/** What a worker's members have got. */
export interface WorkerReport {
  readonly gaps: readonly Gap[]
  /** Messages that members got. */
  readonly count: number
  /** The same by member and group. */
  readonly received: readonly (readonly [group: string, texts: readonly string[]])[][]
}

/** A process with a hub and members, test/relay/worker.js, which lasts as long as the test. */
export class RelayWorker {
  readonly #process: ChildProcess

  /** @param broker - what test/relay/relay-of.js takes */
  constructor(broker: string, { members, groups }: { members: number; groups: number }) {
    const program = fileURLToPath(new URL('../relay/worker.js', import.meta.url))
    this.#process = fork(program, [broker, String(members), String(groups)])
    onTestFinished(() => this.kill())
  }

  get pid(): number {
    return this.#process.pid!
  }

  /** Resolves with its next message; the first says that its groups are ready. */
  async message(): Promise<unknown> {
    const [message] = (await once(this.#process, 'message')) as [unknown]
    return message
  }

  /** Asks for a report when its members have got as many messages, or a gap. */
  async report(expected: number): Promise<WorkerReport> {
    const report = this.message()
    this.#process.send({ expected })
    return (await report) as WorkerReport
  }

  /** Holds its event loop for some milliseconds. Resolves when that begins. */
  async block(milliseconds: number): Promise<void> {
    const begun = this.message()
    this.#process.send({ block: milliseconds })
    await begun
  }

  /** Has it close its hub, and waits until it ends by itself. */
  async end(): Promise<void> {
    const exit = once(this.#process, 'exit')
    this.#process.send({ end: true })
    await exit
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(name)
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGKILL')
    await once(this.#process, 'exit')
  }
}
