/** @typedef {import('./measure.js').Load} Load */
/** @typedef {'echo' | 'fan-out' | 'compressed' | 'handshakes' | 'idle' | 'tls' | 'tails' | 'delays' | 'consumers'} Section */

/**
 * @typedef {object} Row
 * @property {Section} section
 * @property {string} title
 * @property {Load} load
 */

/**
 * @typedef {object} Effort
 * @property {boolean} quick a selection of the rows, for a short time
 * @property {number} seconds measured for each sample
 * @property {number} warmUp seconds before
 */

const KIB = 1024
const MIB = 1024 * KIB

/**
 * Seconds before messages of 1 MiB are measured. A server receives about a thousand a second, and V8 still compiles in the
 * third and fourth second.
 */
const WARM_UP_OF_LONG_MESSAGES = 4

/** Bytes in flight on all connections together: more would measure the memory of the machine. */
const MOST_IN_FLIGHT = 8 * MIB

/**
 * Every row of the tables.
 *
 * @param {Effort} effort
 * @returns {Row[]}
 */
export function gridOf(effort) {
  return [
    ...echoRows(effort),
    ...fanOutRows(effort),
    ...compressedRows(effort),
    ...connectionRows(effort),
    ...tlsRows(effort),
    ...tailRows(effort),
    ...delayRows(effort),
    ...consumerRows(effort),
  ]
}

/** How the titles of the rows begin that are compared on every version of Node.js. */
const ON_ALL_NODES = [
  'echo, 64 B text, 1 in flight',
  'echo, 64 B text, 16 in flight',
  'echo, 64 B text, 64 in flight',
  'echo, 1 KiB binary, 1 in flight',
  'echo, 1 KiB text, 16 in flight',
  'echo, 16 KiB binary, 1 in flight',
  'echo, 16 KiB text, 1 in flight',
  'echo, 16 KiB text as a Buffer, 1 in flight',
  'echo, 1 MiB binary, 1 in flight',
  'echo, 1 MiB text, 1 in flight',
  'echo, 1 MiB text as a Buffer, 1 in flight',
  'fan-out to 100 ',
  'fan-out to 1000 ',
  'compressed ',
  'opening handshakes',
  '10000 idle connections',
]

/** @param {Row} row */
export function isInNodesTable({ title }) {
  return ON_ALL_NODES.some((beginning) => title.startsWith(beginning))
}

/**
 * @param {Effort} effort
 * @returns {Row[]}
 */
function echoRows(effort) {
  /** @type {Row[]} */
  const rows = []
  const all = { payloads: [16, 64, KIB, 16 * KIB, MIB], types: ['text', 'binary'] }
  const { payloads, types } = effort.quick ? { payloads: [64, 16 * KIB, MIB], types: ['text'] } : all
  for (const type of types) {
    for (const payload of payloads) {
      for (const inFlight of depthsFor(payload, effort.quick)) {
        rows.push(echoRow(payload, inFlight, type === 'binary', effort))
      }
      if (type === 'text' && payload >= 16 * KIB) rows.push(textAsBytesRow(payload, effort))
    }
  }
  return rows
}

/**
 * @param {number} payload
 * @param {boolean} quick
 */
function depthsFor(payload, quick) {
  if (quick && payload > KIB) return [1]
  const most = MOST_IN_FLIGHT / payload
  return [...new Set([1, 16, 64].map((depth) => Math.min(depth, most)))]
}

/**
 * @param {number} payload
 * @param {number} inFlight
 * @param {boolean} binary
 * @param {Effort} effort
 * @returns {Row}
 */
function echoRow(payload, inFlight, binary, effort) {
  const connections = Math.min(50, Math.max(1, Math.floor(MOST_IN_FLIGHT / (payload * inFlight))))
  const title = `echo, ${sizeOf(payload)} ${binary ? 'binary' : 'text'}, ${inFlight} in flight`
  const times = timesOf(effort)
  if (payload >= MIB && !effort.quick) times.warmUp = WARM_UP_OF_LONG_MESSAGES
  return {
    section: 'echo',
    title: `${title}, ${connections} connection${connections > 1 ? 's' : ''}`,
    load: { kind: 'echo', connections, payload, inFlight, binary, compressed: false, ...times },
  }
}

/**
 * ws delivers text as a Buffer. In this row hubwire does so too, with the option `textType`.
 *
 * @param {number} payload
 * @param {Effort} effort
 * @returns {Row}
 */
function textAsBytesRow(payload, effort) {
  const { section, title, load } = echoRow(payload, 1, false, effort)
  return {
    section,
    title: title.replace('text', 'text as a Buffer'),
    load: /** @type {Load} */ ({ ...load, textAsBytes: true }),
  }
}

/**
 * @param {Effort} effort
 * @returns {Row[]}
 */
function fanOutRows(effort) {
  const section = /** @type {const} */ ('fan-out')
  const groups = effort.quick ? [100] : [10, 100, 1000]
  /** @type {Row[]} */
  const rows = groups.flatMap((connections) =>
    [1, 16].map((inFlight) => ({
      section,
      title: `fan-out to ${connections} members, 64 B text, ${inFlight} a tick`,
      load: { ...messageLoad('fan-out', 64, effort), connections, inFlight },
    })),
  )
  const chat = { ...messageLoad('fan-out', 64, effort), connections: 100, inFlight: 1, everyone: true }
  return [...rows, { section, title: 'fan-out to 100 members, 64 B text, all of which publish', load: chat }]
}

/**
 * @param {Effort} effort
 * @returns {Row[]}
 */
function compressedRows(effort) {
  const depths = effort.quick ? [1] : [1, 16]
  const echo = depths.map((inFlight) => ({
    section: /** @type {const} */ ('compressed'),
    title: `compressed echo, 1 KiB JSON, ${inFlight} in flight, 50 connections`,
    load: { ...messageLoad('echo', KIB, effort), connections: 50, inFlight, compressed: true },
  }))
  const fanOut = depths.map((inFlight) => ({
    section: /** @type {const} */ ('compressed'),
    title: `compressed fan-out to 100 members, 1 KiB JSON, ${inFlight} a tick`,
    load: { ...messageLoad('fan-out', KIB, effort), connections: 100, inFlight, compressed: true },
  }))
  return [...echo, ...fanOut]
}

/**
 * @param {Effort} effort
 * @returns {Row[]}
 */
function connectionRows(effort) {
  const handshakes = effort.quick ? 4000 : 8000
  const idle = effort.quick ? 2000 : 10_000
  return [
    {
      section: 'handshakes',
      title: 'opening handshakes',
      load: { kind: 'handshakes', connections: handshakes },
    },
    {
      section: 'handshakes',
      title: 'opening handshakes with an asynchronous check of the user',
      load: { kind: 'handshakes', connections: handshakes, authenticated: true },
    },
    { section: 'idle', title: `${idle} idle connections`, load: { kind: 'idle', connections: idle } },
    ...(effort.quick
      ? []
      : [idleRow(idle, '64 B text', 64, false), idleRow(idle, '1 KiB JSON compressed', KIB, true)]),
  ]
}

/**
 * Connections that have sent and received one message: what a connection allocates with its first message is counted.
 *
 * @param {number} connections
 * @param {string} message
 * @param {number} payload
 * @param {boolean} compressed
 * @returns {Row}
 */
function idleRow(connections, message, payload, compressed) {
  const batch = { payload, inFlight: 1, binary: false, compressed }
  return {
    section: 'idle',
    title: `${connections} idle connections after ${message} each way`,
    load: { kind: 'idle', connections, batch },
  }
}

/**
 * @param {'echo' | 'fan-out'} kind
 * @param {number} payload
 * @param {Effort} effort
 */
function messageLoad(kind, payload, effort) {
  return { kind, payload, binary: false, compressed: false, ...timesOf(effort) }
}

/** @param {Effort} effort */
function timesOf({ warmUp, seconds }) {
  return { warmUp, seconds }
}

/** @param {number} bytes */
function sizeOf(bytes) {
  if (bytes >= MIB) return `${bytes / MIB} MiB`
  return bytes >= KIB ? `${bytes / KIB} KiB` : `${bytes} B`
}

/**
 * Over `wss:`. The client's half of TLS takes as long as the server's, and the ratios count the server's only.
 *
 * @param {Effort} effort
 * @returns {Row[]}
 */
function tlsRows(effort) {
  const idle = effort.quick ? 500 : 2000
  return [
    {
      section: 'tls',
      title: 'wss echo, 64 B text, 16 in flight, 50 connections',
      load: { ...messageLoad('echo', 64, effort), connections: 50, inFlight: 16, secure: true },
    },
    {
      section: 'tls',
      title: 'wss fan-out to 100 members, 64 B text, 1 a tick',
      load: { ...messageLoad('fan-out', 64, effort), connections: 100, inFlight: 1, secure: true },
    },
    {
      section: 'idle',
      title: `${idle} idle wss connections`,
      load: { kind: 'idle', connections: idle, secure: true },
    },
  ]
}

/**
 * @param {Effort} effort
 * @returns {Row[]}
 */
function tailRows(effort) {
  const section = /** @type {const} */ ('tails')
  /** @type {Row[]} */
  const paced = [64, 16 * KIB].map((payload) => ({
    section,
    title: `round trips at half the saturating load, ${sizeOf(payload)} text, 50 connections`,
    load: { kind: 'paced', connections: 50, payload, ...timesOf(effort) },
  }))
  const connections = effort.quick ? 1000 : 5000
  const batch = { payload: 64, inFlight: 1, binary: false, compressed: false }
  return [
    ...paced,
    {
      section,
      title: `deliveries to 100 members, 200 messages a second, while ${connections} others reconnect`,
      load: { kind: 'storm', members: 100, connections, batch },
    },
  ]
}

/**
 * The longest delay of the event loop. The flooding peers write without waiting for answers.
 *
 * @param {Effort} effort
 * @returns {Row[]}
 */
function delayRows({ quick, seconds }) {
  /** @param {number} payload @param {boolean} compressed */
  const batch = (payload, compressed) => ({ payload, inFlight: 16, binary: false, compressed })
  const flood = { kind: /** @type {const} */ ('flood'), connections: 10, seconds }
  /** @type {{ title: string, load: Load }[]} */
  const rows = [
    {
      title: '1,000 members leave, join and broadcast once a second each',
      load: {
        kind: 'churn',
        connections: quick ? 100 : 1000,
        batch: { ...batch(64, false), inFlight: 1 },
        seconds,
      },
    },
    { title: '10 peers flood with text of 1 B', load: { ...flood, batch: batch(1, false) } },
    { title: '10 peers flood with compressed JSON of 1 KiB', load: { ...flood, batch: batch(KIB, true) } },
    {
      title: 'one member is sent 100 MiB',
      load: { kind: 'stream', connections: 1, batch: { ...batch(1, false), inFlight: 1 }, seconds },
    },
  ]
  return rows.map((row) => ({ section: 'delays', ...row, title: `event-loop delay, ${row.title}` }))
}

/**
 * Packages that were written for ws, on ws and on hubwire/ws.
 *
 * @param {Effort} effort
 * @returns {Row[]}
 */
function consumerRows(effort) {
  const load = { kind: /** @type {const} */ ('consumer'), payload: 64, ...timesOf(effort) }
  /** @type {{ title: string, load: Omit<import('./measure.js').ConsumerLoad, keyof typeof load> }[]} */
  const rows = [
    ...[1, 16].map((inFlight) => ({
      title: `Socket.IO echo, 64 B text, ${inFlight} in flight, 50 connections`,
      load: { consumer: /** @type {const} */ ('socket.io'), fanOut: false, connections: 50, inFlight },
    })),
    ...[1, 16].map((inFlight) => ({
      title: `Socket.IO broadcast to 100 clients, 64 B text, ${inFlight} a tick`,
      load: { consumer: /** @type {const} */ ('socket.io'), fanOut: true, connections: 100, inFlight },
    })),
    {
      title: 'graphql-ws, a subscription of 100 clients, 64 B text, 1 a tick',
      load: { consumer: 'graphql-ws', fanOut: true, connections: 100, inFlight: 1 },
    },
    {
      title: 'y-websocket, updates of one document to 100 clients, 1 character, 1 a tick',
      load: { consumer: 'y-websocket', fanOut: true, connections: 100, inFlight: 1 },
    },
  ]
  return rows.map((row) => ({ section: 'consumers', title: row.title, load: { ...load, ...row.load } }))
}
