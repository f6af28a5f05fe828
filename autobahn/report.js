import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * The result of one case: `behavior` is about the frames, `behaviorClose` about how the connection was closed.
 *
 * @typedef {object} Verdict
 * @property {string} behavior
 * @property {string} behaviorClose
 * @property {number | null} remoteCloseCode the code of the peer under test
 */

/** @typedef {Record<string, Verdict>} Report verdicts by case */

const GOOD = new Set(['OK', 'INFORMATIONAL'])

/**
 * @param {string} outdir
 * @returns {Promise<Report>} empty if the suite wrote no report
 */
export async function readReport(outdir) {
  const text = await readFile(join(outdir, 'index.json'), 'utf8').catch(() => '{}')
  /** @type {Record<string, Report>} */
  const agents = JSON.parse(text)
  const report = Object.values(agents)[0] ?? {}
  const entries = Object.entries(report).map(([id, { behavior, behaviorClose, remoteCloseCode }]) => {
    return /** @type {const} */ ([id, { behavior, behaviorClose, remoteCloseCode }])
  })
  return Object.fromEntries(entries.sort(([one], [other]) => compareIds(one, other)))
}

/**
 * @param {Verdict | undefined} verdict
 * @returns {boolean}
 */
export function isGood(verdict) {
  return verdict !== undefined && GOOD.has(verdict.behavior) && GOOD.has(verdict.behaviorClose)
}

/**
 * 9.1.6 comes before 10.1.1.
 *
 * @param {string} one
 * @param {string} other
 */
export function compareIds(one, other) {
  return one.localeCompare(other, 'en', { numeric: true })
}
