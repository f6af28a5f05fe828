import { subscribe } from 'node:diagnostics_channel'
import { Counter, Gauge, Histogram } from 'prom-client'

/**
 * Registers the metrics of a server. What it counts itself is asked for when Prometheus asks; nothing is counted twice.
 *
 * @param {import('hubwire').WebSocketServer} server
 */
export function measure(server) {
  new Gauge({
    name: 'websocket_connections',
    help: 'Connections that are open',
    collect() {
      this.set(server.stats().connections)
    },
  })
  new Gauge({
    name: 'websocket_buffered_bytes',
    help: 'Bytes that wait for slow peers',
    collect() {
      this.set(server.stats().bufferedAmount)
    },
  })
  new Counter({
    name: 'websocket_accepted_total',
    help: 'Connections that were accepted',
    collect() {
      this.reset()
      this.inc(server.stats().accepted)
    },
  })
  count('messages', 'Whole messages', 'direction', () => server.stats().messages)
  count('bytes', 'Bytes, opening handshakes included', 'direction', () => server.stats().bytes)
  count('refused', 'Handshakes that were refused', 'reason', () => server.stats().refused)
  count('terminated', 'Connections that broke', 'cause', () => server.stats().terminated)
  measureDurations()
}

/**
 * A counter for each of the totals that the server keeps under a name of its own.
 *
 * @param {string} name
 * @param {string} help
 * @param {string} label
 * @param {() => Record<string, number>} totals
 */
function count(name, help, label, totals) {
  new Counter({
    name: `websocket_${name}_total`,
    help,
    labelNames: [label],
    collect() {
      this.reset()
      for (const [value, total] of Object.entries(totals())) this.inc({ [label]: value }, total)
    },
  })
}

/** How long connections last, by the code with which they close: of all servers in the process. */
function measureDurations() {
  const durations = new Histogram({
    name: 'websocket_connection_seconds',
    help: 'How long connections lasted',
    labelNames: ['code'],
    buckets: [1, 10, 60, 600, 3600, 86_400],
  })
  const starts = new WeakMap()
  subscribe('hubwire:connection', (message) => {
    const { socket } = /** @type {import('hubwire').Diagnostics['hubwire:connection']} */ (message)
    starts.set(socket, performance.now())
  })
  subscribe('hubwire:close', (message) => {
    const { socket, code } = /** @type {import('hubwire').Diagnostics['hubwire:close']} */ (message)
    const start = starts.get(socket) // none, where `refuse.close` ended it before it was one
    if (start !== undefined) durations.observe({ code }, (performance.now() - start) / 1000)
  })
}
