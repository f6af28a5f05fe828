import { spawnSync } from 'node:child_process'

const IMAGE = 'crossbario/autobahn-testsuite'

const ADVICE = `The Autobahn test suite is needed. Either
  - start docker, and the image ${IMAGE} is used, or
  - name a wstest of your own: WSTEST=/path/to/wstest npm run autobahn`

/** There is no suite to run. */
export class NoSuiteError extends Error {
  /** @param {string} what */
  constructor(what) {
    super(`${what}\n${ADVICE}`)
  }
}

/**
 * How the suite is run on this machine.
 *
 * @param {string} directory where its specifications lie and its reports go
 * @returns {string[]} the words that stand before the options of wstest
 */
export function findSuite(directory) {
  const own = process.env.WSTEST?.trim()
  if (own) return own.split(/\s+/)
  if (!succeeds(['docker', 'info']))
    throw new NoSuiteError('WSTEST is not set and docker does not work here.')
  return [
    ...['docker', 'run', '--rm', '--init', '--network', 'host', '--env', 'PYTHONUNBUFFERED=1'],
    // The directory has the same name within, and what is written there belongs to whoever runs this.
    ...[
      '--volume',
      `${directory}:${directory}`,
      '--user',
      `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`,
    ],
    ...[IMAGE, 'wstest'],
  ]
}

/**
 * Tries the suite before anything depends on it. Docker fetches the image at this point.
 *
 * @param {string[]} suite
 * @returns {string} its versions
 */
export function suiteVersion([program = '', ...words]) {
  /** @type {import('node:child_process').SpawnSyncOptionsWithStringEncoding} */
  const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }
  const { status, stdout, error } = spawnSync(program, [...words, '--autobahnversion'], options)
  if (status !== 0)
    throw new NoSuiteError(`${[program, ...words].join(' ')}: ${error?.message ?? `ended with ${status}`}`)
  return stdout.trim().replaceAll('\n', ', ')
}

/**
 * @param {string[]} suite
 * @param {'fuzzingclient' | 'fuzzingserver'} mode
 * @param {string} specification a file
 * @returns {string[]}
 */
export function suiteCommand(suite, mode, specification) {
  // Without --webport 0 it would also serve pages on port 8080.
  return [...suite, '--mode', mode, '--spec', specification, '--webport', '0']
}

/** @param {[string, ...string[]]} command */
function succeeds([program, ...words]) {
  return spawnSync(program, words, { stdio: 'ignore' }).status === 0
}
