// Runs the Autobahn test suite against hubwire, as a server and as a client. Options: options.js.
// The exit status is 0 if every case has the expected result, 1 if one has not, 2 if the suite cannot be run.
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { testClient, testServer } from './directions.js'
import { differences, readExpectation, writeExpectation } from './expectation.js'
import { readOptions } from './options.js'
import { isGood, readReport } from './report.js'
import { findSuite, suiteVersion } from './suite.js'
import { renderTable } from './table.js'

/**
 * @typedef {import('./options.js').Direction} Direction
 * @typedef {import('./options.js').Options} Options
 * @typedef {import('./report.js').Report} Report
 */

const REPORTS = join(import.meta.dirname, 'reports')

/** The number of differences from the expected results that are printed for each direction. */
const SHOWN = 40

const tests = { server: testServer, client: testClient }

/**
 * @param {Direction} direction
 * @param {Options} options
 * @param {string[]} suite
 * @param {AbortSignal} signal
 * @returns {Promise<{ report: Report, fault: string | undefined }>} the report, even if something failed
 */
async function run(direction, options, suite, signal) {
  const outdir = join(REPORTS, direction)
  // The reports of an earlier run must not be taken for those of this one.
  await rm(outdir, { recursive: true, force: true })
  await mkdir(outdir, { recursive: true })
  const peerOptions = options.contextTakeover ? ['--context-takeover'] : []
  const started = performance.now()
  /** @type {string | undefined} */
  let fault
  try {
    await tests[direction]({ suite, directory: REPORTS, outdir, cases: options.cases, peerOptions, signal })
  } catch (error) {
    fault = describe(error)
  }
  console.log(`${direction}: ${Math.round((performance.now() - started) / 1000)} s`)
  return { report: await readReport(outdir), fault }
}

/**
 * @param {Map<Direction, Report>} reports
 * @param {Options} options
 * @returns {Promise<string[]>} what differs from the expected results
 */
async function judge(reports, { accept, cases }) {
  const expectation = await readExpectation()
  if (accept) {
    Object.assign(expectation, ...reports.values())
    await writeExpectation(expectation)
  }
  return [...reports].flatMap(([direction, report]) => {
    const bad = Object.values(report).filter((verdict) => !isGood(verdict)).length
    const differ = differences(expectation, report, cases)
    return [
      ...(Object.keys(report).length === 0 ? [`${direction}: no case ran`] : []),
      ...(bad > 0 ? [`${direction}: ${bad} cases are neither OK nor INFORMATIONAL`] : []),
      ...differ.slice(0, SHOWN).map((difference) => `${direction} ${difference}`),
      ...(differ.length > SHOWN ? [`${direction}: ${differ.length - SHOWN} more differences`] : []),
    ]
  })
}

/** @param {unknown} error */
function describe(error) {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}

/** @returns {Promise<number>} the exit status */
async function main() {
  const options = readOptions(process.argv.slice(2))
  if (typeof options === 'string') {
    console.log(options)
    return 0
  }
  const suite = findSuite(REPORTS)
  await mkdir(REPORTS, { recursive: true })
  console.log(suiteVersion(suite))

  const interruption = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interruption.abort())
  /** @type {Map<Direction, Report>} */
  const reports = new Map()
  const complaints = []
  for (const direction of options.directions) {
    if (interruption.signal.aborted) return 2
    const { report, fault } = await run(direction, options, suite, interruption.signal)
    reports.set(direction, report)
    if (fault !== undefined) complaints.push(`${direction}: ${fault}`)
  }

  console.log(`\n${renderTable(reports)}\n`)
  complaints.push(...(await judge(reports, options)))
  for (const complaint of complaints) console.error(complaint)
  console.log(
    `Reports of the suite: ${options.directions.map((name) => join(REPORTS, name, 'index.html')).join(' ')}`,
  )
  return complaints.length > 0 ? 1 : 0
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(describe(error))
  process.exitCode = 2
}
