import { openConnections } from './connection.js'
import { Measurement } from './measurement.js'

/**
 * Opens connections, 50 at a time, as fast as the server accepts them, and keeps them open. Measures the second half.
 *
 * @param {import('./task.js').ConnectionTask} task
 * @returns {Promise<import('./measurement.js').Sample>}
 */
export function handshakes(task) {
  const half = Math.floor(task.connections / 2)
  return new Promise((resolve, reject) => {
    const measurement = new Measurement({ pid: task.pid, warmUp: 0, seconds: 0 }, (sample) => {
      resolve({ ...sample, p50: null, p99: null, p999: null })
    })
    const progress = (/** @type {number} */ open) => {
      if (open === half || open === 2 * half) measurement.note(half, 0)
    }
    openConnections({ ...task, count: 2 * half, progress }).catch(reject)
  })
}
