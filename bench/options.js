import { parseArgs } from 'node:util'

export const USAGE = `npm run bench -- [options]

  --quick              a telling part of the rows in less than two minutes
  --only SECTION,...   of micro, echo, fan-out, compressed, handshakes, idle
  --row TEXT           only the rows with this text in their title
  --peers NAME,...     of hubwire, ws, ws+bufferutil, websocket, bun, floor
  --rounds N           processes started for each peer and row (3; quick: 1)
  --seconds N          measured in each of them (1.5; quick: 0.4)
  --cores SERVER,CLIENT  the cores that the two processes are pinned to

WSLOAD=/path/to/wsload in the environment: echo and fan-out under this load generator instead of our own client.
`

export const SECTIONS = /** @type {const} */ ([
  'micro',
  'echo',
  'fan-out',
  'compressed',
  'handshakes',
  'idle',
])

/**
 * @typedef {object} Options
 * @property {boolean} quick
 * @property {string[]} only sections; none means all
 * @property {string} row
 * @property {string[]} peers none means all
 * @property {number} rounds
 * @property {number} seconds
 * @property {number} warmUp
 * @property {string | undefined} cores
 * @property {string | undefined} wsload
 */

/**
 * @param {string[]} options
 * @returns {Options | null} null when help is asked for
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
    wsload: process.env.WSLOAD,
  }
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
  if (!(number > 0)) throw new Error(`--${name} takes a number above zero`)
  return number
}
