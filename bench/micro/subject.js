import { Bench } from 'tinybench'
import { quartilesOf } from '../report/spread.js'

/**
 * What is compared: in each case every contender does the same work.
 *
 * @typedef {object} Subject
 * @property {string} title
 * @property {Case[]} cases
 */

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {number} times how often one call of a contender does the work, which by itself is too short for a clock
 * @property {boolean} [asynchronous] whether the contenders return promises. tinybench finds out by a call that it does
 *   not await, and ws's deflater crashes the process if it is used twice at the same time.
 * @property {Record<string, () => unknown>} contenders
 */

/** @typedef {import('../report/spread.js').Spread} Spread */

/**
 * @typedef {object} SubjectResult
 * @property {string} title
 * @property {{ name: string, nanoseconds: Record<string, Spread | null> }[]} cases for each time the work is done
 */

/**
 * @param {Subject} subject
 * @param {number} time milliseconds for each contender
 * @returns {Promise<SubjectResult>}
 */
export async function runSubject({ title, cases }, time) {
  const results = []
  for (const each of cases) results.push(await runCase(each, time))
  return { title, cases: results }
}

/**
 * @param {Case} work
 * @param {number} time
 */
async function runCase({ name, times, asynchronous = false, contenders }, time) {
  const bench = new Bench({ time, warmupTime: time / 2, retainSamples: true })
  for (const [contender, run] of Object.entries(contenders))
    bench.add(contender, run, { async: asynchronous })
  await bench.run()
  /** @type {Record<string, Spread | null>} */
  const nanoseconds = {}
  for (const task of bench.tasks) {
    const { result } = task
    if (result.state === 'errored') throw result.error
    if (result.state !== 'completed') continue
    const samples = result.latency.samples ?? []
    nanoseconds[task.name] = quartilesOf(samples.map((milliseconds) => (milliseconds * 1e6) / times))
  }
  return { name, nanoseconds }
}
