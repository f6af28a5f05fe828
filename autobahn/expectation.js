import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compareIds } from './report.js'

/**
 * @typedef {import('./report.js').Report} Report
 * @typedef {import('./report.js').Verdict} Verdict
 */

const FILE = join(import.meta.dirname, 'expected-results.json')

/** @returns {Promise<Report>} the expected results, the same in both roles */
export async function readExpectation() {
  /** @type {Report} */
  const expectation = JSON.parse(await readFile(FILE, 'utf8').catch(() => '{}'))
  return expectation
}

/**
 * Writes a line for each case, formatted as by prettier, so that diffs are readable.
 *
 * @param {Report} expectation
 */
export async function writeExpectation(expectation) {
  const cases = Object.entries(expectation).sort(([one], [other]) => compareIds(one, other))
  const lines = cases.map(([id, verdict]) => `  "${id}": ${oneLine(verdict)}`)
  await writeFile(FILE, `{\n${lines.join(',\n')}\n}\n`)
}

/**
 * @param {Report} expected
 * @param {Report} found
 * @param {string[]} patterns patterns of the cases that should run
 * @returns {string[]} a line for each case in which the two differ
 */
export function differences(expected, found, patterns) {
  const wanted = Object.keys(expected).filter((id) => patterns.some((pattern) => selects(pattern, id)))
  const ids = [...new Set([...wanted, ...Object.keys(found)])].sort(compareIds)
  return ids.flatMap((id) => {
    const [before, now] = [show(expected[id]), show(found[id])]
    return before === now ? [] : [`${id}: expected ${before}, found ${now}`]
  })
}

/**
 * Matches like the suite: `*` is any text, and a pattern with `*` also matches longer numbers.
 *
 * @param {string} pattern
 * @param {string} id
 */
function selects(pattern, id) {
  if (!pattern.includes('*')) return pattern === id
  return new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}`).test(id)
}

/** @param {Verdict | undefined} verdict */
function show(verdict) {
  if (verdict === undefined) return 'no result'
  return `${verdict.behavior} / ${verdict.behaviorClose} / ${verdict.remoteCloseCode ?? 'no code'}`
}

/** @param {Verdict} verdict */
function oneLine({ behavior, behaviorClose, remoteCloseCode }) {
  return `{ "behavior": "${behavior}", "behaviorClose": "${behaviorClose}", "remoteCloseCode": ${remoteCloseCode} }`
}
