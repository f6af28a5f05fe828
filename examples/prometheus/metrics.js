import { subscribe } from 'node:diagnostics_channel'
import { Counter, Gauge, Histogram } from 'prom-client'

/**
 * Registers the metrics of a server. The server counts them; they are read each time Prometheus asks.
 *
 * @param {import('hubwire').WebSocketServer} server
 */
export function measure(server) {
  new Gauge({
    name: 'websocket_connections',
    help: 'Open connections',
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
    help: 'Accepted connections',
    collect() {
      this.reset()
      this.inc(server.stats().accepted)
    },
  })
  count('messages', 'Whole messages', 'direction', () => server.stats().messages)
  count('bytes', 'Bytes of frames', 'direction', () => server.stats().bytes)
  count('refused', 'Refused handshakes', 'reason', () => server.stats().refused)
  count(
    'terminated',
    'Connections that ended without a closing handshake',
    'cause',
    () => server.stats().terminated,
  )
  measureDurations()
}

/**
 * Registers one counter for several totals, with a label for each of their names.
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

/** Registers the durations of all connections of the process, by close code. */
function measureDurations() {
  const durations = new Histogram({
    name: 'websocket_connection_seconds',
    help: 'Duration of connections',
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
    const start = starts.get(socket) // undefined for a connection that is older than this subscription
    if (start !== undefined) durations.observe({ code }, (performance.now() - start) / 1000)
  })
}
