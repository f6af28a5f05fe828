import { parseArgs } from 'node:util'

const USAGE = `npm run autobahn -- [--server-only | --client-only] [--cases <patterns>] [--context-takeover] [--accept]

  --server-only         only hubwire's server, against the fuzzing client
  --client-only         only hubwire's client, against the fuzzing server
  --cases 6.*,7.1.1     only these cases
  --context-takeover    with context takeover on both sides
  --accept              writes the results to expected-results.json
  --help                prints this`

/** @typedef {'server' | 'client'} Direction the role in which hubwire is tested */

/**
 * @typedef {object} Options
 * @property {Direction[]} directions
 * @property {string[]} cases patterns of the suite
 * @property {boolean} contextTakeover
 * @property {boolean} accept
 */

/**
 * @param {string[]} words
 * @returns {Options | string} the options, or the usage if --help is given
 */
export function readOptions(words) {
  const { values } = parseArgs({
    args: words,
    options: {
      'server-only': { type: 'boolean', default: false },
      'client-only': { type: 'boolean', default: false },
      cases: { type: 'string', multiple: true, default: ['*'] },
      'context-takeover': { type: 'boolean', default: false },
      accept: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return USAGE
  if (values['server-only'] && values['client-only']) {
    throw new TypeError('--server-only and --client-only exclude each other: omit both to run both')
  }
  /** @type {Direction[]} */
  const directions = ['server', 'client']
  return {
    directions: directions.filter(
      (direction) => !values[direction === 'server' ? 'client-only' : 'server-only'],
    ),
    cases: values.cases.flatMap((patterns) => patterns.split(',')),
    contextTakeover: values['context-takeover'],
    accept: values.accept,
  }
}
