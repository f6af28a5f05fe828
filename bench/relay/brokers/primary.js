import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from '../../load/child.js'

/** A primary of node:cluster that does nothing but relay. */
export class Primary {
  address = ''
  #folder = mkdtempSync(join(tmpdir(), 'hubwire-bench-'))
  #child = new Child([process.execPath, join(import.meta.dirname, 'primary-process.js')])
  /** What its workers need in their environment. @type {Record<string, string>} */
  environment = {}

  static async start() {
    const primary = new Primary()
    const variables = /** @type {Record<string, string>} */ (JSON.parse(await primary.#child.line()))
    // As node:cluster marks the processes that it forks.
    primary.environment = { ...variables, NODE_UNIQUE_ID: '1' }
    return primary
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
    await this.#child.end()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
