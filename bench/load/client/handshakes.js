import { setTimeout } from 'node:timers/promises'
import { openConnections } from './connection.js'
import { Measurement } from './measurement.js'

/**
 * V8 compiles the code of a server during its first 20,000 handshakes, on threads of its own that count as its time: on
 * Node.js 26 a handshake then takes 56 µs, of which 16 are theirs, and 41 later.
 */
const WARM_UPS = 3

/** Milliseconds in which a server closes the connections of a warm-up and frees their memory. */
const PAUSE = 700

/**
 * Opens connections, 50 at a time, as fast as the server accepts them, and keeps them open. Measures the second half, after
 * it has opened and ended as many three times.
 *
 * @param {import('./task.js').ConnectionTask} task
 * @returns {Promise<import('./measurement.js').Sample>}
 */
export async function handshakes(task) {
  const half = Math.floor(task.connections / 2)
  for (let round = 0; round < WARM_UPS; round++) {
    for (const connection of await openConnections({ ...task, count: 2 * half })) connection.end()
    await setTimeout(PAUSE)
  }
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
