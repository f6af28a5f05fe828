import { setTimeout as sleep } from 'node:timers/promises'
import { parseJson } from '../json.js'
import { Child } from './child.js'
import { withServer } from './measure.js'
import { pinned } from './pinning.js'
import { processorTime } from './processor-time.js'

/**
 * wsload connects, waits 200 ms and warms up for a fifth of its time. Between these shares of its time the load is
 * even.
 */
const SAMPLED_FROM = 0.5
const SAMPLED_TO = 1.05

/**
 * The same load from wsload, a load generator in C (`wsload echo|fanout PORT CONNECTIONS PAYLOAD DEPTH SECONDS PATH TYPE`
 * prints one line of JSON). The server's processor time is sampled while it runs.
 *
 * @param {string} program
 * @param {import('./peers.js').Peer} peer
 * @param {import('./measure.js').MessageLoad} load
 * @param {import('./measure.js').Place} place
 * @returns {Promise<import('./client/measurement.js').Sample>}
 */
export function measureWithWsload(program, peer, load, place) {
  return withServer(peer, load, place, async (server, port) => {
    const kind = load.kind === 'echo' ? 'echo' : 'fanout'
    const numbers = [port, load.connections, load.payload, load.inFlight, load.seconds].map(String)
    const command = [program, kind, ...numbers, '/', load.binary ? 'binary' : 'text']
    const client = new Child(
      pinned(command, place.cores?.client),
      load.compressed ? { WSLOAD_DEFLATE: '1' } : {},
    )
    try {
      const serverBusy = await busyShare(server.pid, load.seconds)
      const figures = /** @type {{ per_s: number, p50_us: number, p99_us: number, load_cpu: number }} */ (
        parseJson(await client.line())
      )
      // wsload counts deliveries as the client of the bench does: a message that one member receives.
      return {
        perSecond: figures.per_s,
        cpu: serverBusy === null ? null : (serverBusy / figures.per_s) * 1e6,
        serverBusy,
        clientBusy: figures.load_cpu,
        p50: figures.p50_us,
        p99: figures.p99_us,
        p999: null,
      }
    } finally {
      await client.end()
    }
  })
}

/**
 * @param {number} pid
 * @param {number} seconds
 */
async function busyShare(pid, seconds) {
  await sleep(200 + seconds * SAMPLED_FROM * 1000)
  const begun = performance.now()
  const before = processorTime(pid)
  await sleep(seconds * (SAMPLED_TO - SAMPLED_FROM) * 1000)
  const after = processorTime(pid)
  if (before === null || after === null) return null
  return (after - before) / ((performance.now() - begun) * 1000)
}
