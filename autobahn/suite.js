import { spawnSync } from 'node:child_process'

const IMAGE = 'crossbario/autobahn-testsuite'

const ADVICE = `npm run autobahn needs the Autobahn test suite. Either
  - start docker, to use the image ${IMAGE}, or
  - name an installed wstest: WSTEST=/path/to/wstest npm run autobahn`

/** The suite cannot be run. */
export class NoSuiteError extends Error {
  /** @param {string} what */
  constructor(what) {
    super(`${what}\n${ADVICE}`)
  }
}

/**
 * The command that runs the suite on this machine.
 *
 * @param {string} directory for its specifications and reports
 * @returns {string[]} the command, without the options of wstest
 */
export function findSuite(directory) {
  const own = process.env.WSTEST?.trim()
  if (own) return own.split(/\s+/)
  if (!succeeds(['docker', 'info'])) throw new NoSuiteError('WSTEST is not set and docker is not available.')
  return [
    ...['docker', 'run', '--rm', '--init', '--network', 'host', '--env', 'PYTHONUNBUFFERED=1'],
    // The directory has the same path in the container, and files in it belong to the user who runs this.
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
 * Checks that the suite can be run. Docker fetches the image for this.
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
  // Without --webport 0 it also serves pages on port 8080.
  return [...suite, '--mode', mode, '--spec', specification, '--webport', '0']
}

/** @param {[string, ...string[]]} command */
function succeeds([program, ...words]) {
  return spawnSync(program, words, { stdio: 'ignore' }).status === 0
}
