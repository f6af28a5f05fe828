import { subscribe } from 'node:diagnostics_channel'
import { Counter, Gauge, Histogram } from 'prom-client'

/** @typedef {import('hubwire').WebSocketServer<unknown, boolean>} AnyServer */

/** The servers of this process and their names in the label `server`. @type {Map<AnyServer, string>} */
const servers = new Map()

/**
 * Adds a server to the metrics, under its own name. Metrics are registered once per process, and each server has its own
 * label. The counts are read from the server on each scrape.
 *
 * @param {string} name
 * @param {AnyServer} server
 */
export function measure(name, server) {
  servers.set(server, name)
}

new Gauge({
  name: 'websocket_connections',
  help: 'Open connections',
  labelNames: ['server'],
  collect() {
    for (const [server, name] of servers) this.set({ server: name }, server.stats().connections)
  },
})
new Gauge({
  name: 'websocket_buffered_bytes',
  help: 'Bytes that wait for slow peers',
  labelNames: ['server'],
  collect() {
    for (const [server, name] of servers) this.set({ server: name }, server.stats().bufferedAmount)
  },
})
new Counter({
  name: 'websocket_accepted_total',
  help: 'Accepted connections',
  labelNames: ['server'],
  collect() {
    this.reset()
    for (const [server, name] of servers) this.inc({ server: name }, server.stats().accepted)
  },
})
new Counter({
  name: 'websocket_failed_handlers_total',
  help: 'Listeners, callbacks and routes that failed',
  labelNames: ['server'],
  collect() {
    this.reset()
    for (const [server, name] of servers) this.inc({ server: name }, server.stats().failedHandlers)
  },
})
count('messages', 'Whole messages', 'direction', (stats) => stats.messages)
count('bytes', 'Bytes of frames', 'direction', (stats) => stats.bytes)
count('refused', 'Refused handshakes', 'reason', (stats) => stats.refused)
count(
  'terminated',
  'Connections that ended without a closing handshake',
  'cause',
  (stats) => stats.terminated,
)

/**
 * Registers one counter for several totals, with a label for each of their names.
 *
 * @param {string} name
 * @param {string} help
 * @param {string} label
 * @param {(stats: import('hubwire').ServerStats) => Record<string, number>} totals
 */
function count(name, help, label, totals) {
  new Counter({
    name: `websocket_${name}_total`,
    help,
    labelNames: ['server', label],
    collect() {
      this.reset()
      for (const [server, serverName] of servers) {
        for (const [value, total] of Object.entries(totals(server.stats()))) {
          this.inc({ server: serverName, [label]: value }, total)
        }
      }
    },
  })
}

// How long connections last, by close code. The channels publish for all servers of the process, and name the server.
const durations = new Histogram({
  name: 'websocket_connection_seconds',
  help: 'Duration of connections',
  labelNames: ['server', 'code'],
  buckets: [1, 10, 60, 600, 3600, 86_400],
})
const starts = new WeakMap()
subscribe('hubwire:connection', (message) => {
  const { socket } = /** @type {import('hubwire').Diagnostics['hubwire:connection']} */ (message)
  starts.set(socket, performance.now())
})
subscribe('hubwire:close', (message) => {
  const { socket, server, code } = /** @type {import('hubwire').Diagnostics['hubwire:close']} */ (message)
  const start = starts.get(socket) // undefined for a connection that is older than this subscription
  const name = server && servers.get(server) // undefined for a client's
  if (start === undefined || name === undefined) return
  durations.observe({ server: name, code }, (performance.now() - start) / 1000)
})
