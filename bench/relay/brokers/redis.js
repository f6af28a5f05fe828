import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { Child } from '../../load/child.js'

/** A Redis of its own, which holds whatever a subscriber has not read. */
export class Redis {
  #folder = mkdtempSync(join(tmpdir(), 'hubwire-bench-'))
  address = join(this.#folder, 'redis.sock')
  /** What its clients need in their environment. @type {Record<string, string>} */
  environment = {}
  #child = new Child([
    ...['redis-server', '--port', '0', '--unixsocket', this.address, '--save', '', '--appendonly', 'no'],
    ...['--client-output-buffer-limit', 'pubsub', '0', '0', '0', '--daemonize', 'no'],
  ])

  static async start() {
    const redis = new Redis()
    while (!(await redis.#child.line()).includes('eady to accept connections'));
    return redis
  }

  static version() {
    return /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1] ?? '?'
  }

  /** Its processes. */
  get pids() {
    return [this.#child.pid]
  }

  /** A path for a worker's socket. @param {number} index */
  socket(index) {
    return join(this.#folder, `${index}.sock`)
  }

  /** @param {string[]} words */
  async command(...words) {
    const client = createClient({ socket: { path: this.address, tls: false } })
    await client.connect()
    try {
      return await client.sendCommand(words)
    } finally {
      client.destroy()
    }
  }

  async end() {
    process.kill(this.#child.pid)
    await this.#child.end()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
