import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from '../../load/child.js'

/** A NATS server of its own. What a subscriber has not read is bounded by its memory only, as with Redis. */
export class Nats {
  /** @param {number} port */
  constructor(port) {
    this.address = `127.0.0.1:${port}`
    const file = join(this.#folder, 'nats.conf')
    writeFileSync(file, `listen: "${this.address}"\nmax_pending: 1GB\n`)
    // It writes to the standard error.
    this.#child = new Child(['sh', '-c', 'exec nats-server --config "$0" 2>&1', file])
  }

  #folder = mkdtempSync(join(tmpdir(), 'hubwire-bench-'))
  /** What its clients need in their environment. @type {Record<string, string>} */
  environment = {}
  #child

  static async start() {
    const free = createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const { port } = /** @type {import('node:net').AddressInfo} */ (free.address())
    free.close()
    await once(free, 'close')
    const nats = new Nats(port)
    while (!(await nats.#child.line()).includes('Server is ready'));
    return nats
  }

  static version() {
    return /v(\S+)/.exec(execFileSync('nats-server', ['--version'], { encoding: 'utf8' }))?.[1] ?? '?'
  }

  /** Its processes. */
  get pids() {
    return [this.#child.pid]
  }

  /** A path for a worker's socket. @param {number} index */
  socket(index) {
    return join(this.#folder, `${index}.sock`)
  }

  async end() {
    process.kill(this.#child.pid)
    await this.#child.end()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
