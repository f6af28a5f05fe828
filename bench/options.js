import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

export const USAGE = `npm run bench -- [options]

  --quick              a selection of the rows, in about two minutes
  --only SECTION,...   only these of micro, echo, fan-out, compressed, handshakes, idle, tls,
                       tails, delays, consumers
  --row TEXT           only the rows with this text in their title
  --peers NAME,...     only these of hubwire, baseline, ws, ws+bufferutil, websocket, bun, floor, hubwire/ws
  --rounds N           processes started for each peer and row (3; quick: 1)
  --seconds N          measured in each of them (1.5; quick: 0.4)
  --cores SERVER,CLIENT  the cores that the two processes are pinned to
  --nodes              the main rows and the functions on Node.js 20, 22, 24 and 26 (linux-x64), a column for each
  --node PATH          the Node.js executable that runs the servers (the one that runs the bench)
  --baseline DIR       a directory with another build of hubwire, measured as the peer \`baseline\`

With WSLOAD=/path/to/wsload in the environment, that load generator runs echo and fan-out in place of the bench's client.
`

export const SECTIONS = /** @type {const} */ ([
  'micro',
  'echo',
  'fan-out',
  'compressed',
  'handshakes',
  'idle',
  'tls',
  'tails',
  'delays',
  'consumers',
])

/**
 * @typedef {object} Options
 * @property {boolean} quick
 * @property {string[]} only sections; empty for all
 * @property {string} row
 * @property {string[]} peers empty for all
 * @property {number} rounds
 * @property {number} seconds
 * @property {number} warmUp
 * @property {string | undefined} cores
 * @property {string} node
 * @property {boolean} nodes
 * @property {string | undefined} baseline
 * @property {string | undefined} wsload
 */

/**
 * @param {string[]} options
 * @returns {Options | null} null if help is requested
 */
export function parseOptions(options) {
  const { values } = parseArgs({
    args: options,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      row: { type: 'string', default: '' },
      peers: { type: 'string', default: '' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      cores: { type: 'string' },
      node: { type: 'string', default: process.execPath },
      nodes: { type: 'boolean', default: false },
      baseline: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return null
  const quick = values.quick
  return {
    quick,
    only: sections(values.only),
    row: values.row,
    peers: list(values.peers),
    rounds: positive('rounds', values.rounds, quick ? 1 : 3),
    seconds: positive('seconds', values.seconds, quick ? 0.4 : 1.5),
    warmUp: quick ? 0.3 : 0.6,
    cores: values.cores,
    node: values.node,
    nodes: values.nodes,
    baseline: buildIn(values.baseline),
    wsload: process.env.WSLOAD,
  }
}

/** @param {string | undefined} directory */
function buildIn(directory) {
  if (directory === undefined) return undefined
  const absolute = resolve(directory)
  if (!existsSync(join(absolute, 'dist', 'index.js'))) {
    throw new Error(`--baseline ${directory}: there is no dist/index.js; run npm run build in that directory`)
  }
  return absolute
}

/** @param {string} value */
function list(value) {
  return value.split(',').filter((item) => item !== '')
}

/** @param {string} value */
function sections(value) {
  const names = list(value)
  const unknown = names.filter((name) => !SECTIONS.some((section) => section === name))
  if (unknown.length > 0) throw new Error(`no such section: ${unknown.join(', ')}\n\n${USAGE}`)
  return names
}

/**
 * @param {string} name
 * @param {string | undefined} value
 * @param {number} otherwise
 */
function positive(name, value, otherwise) {
  const number = value === undefined ? otherwise : Number(value)
  if (!(number > 0)) throw new Error(`--${name} ${value}: must be a number above zero`)
  return number
}
