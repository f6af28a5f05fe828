import { Bench } from 'tinybench'

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
 * @property {number} times how often one call of a contender does the work: one call alone is too short for a clock
 * @property {boolean} [asynchronous] whether the contenders return promises. tinybench would find out by a call that it
 *   does not await, and ws's deflater crashes the process when it is used twice at once.
 * @property {Record<string, () => unknown>} contenders
 */

/**
 * @typedef {object} SubjectResult
 * @property {string} title
 * @property {{ name: string, nanoseconds: Record<string, number> }[]} cases medians, each time the work is done
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
  const bench = new Bench({ time, warmupTime: time / 2 })
  for (const [contender, run] of Object.entries(contenders))
    bench.add(contender, run, { async: asynchronous })
  await bench.run()
  /** @type {Record<string, number>} */
  const nanoseconds = {}
  for (const task of bench.tasks) {
    const { result } = task
    if (result.state === 'errored') throw result.error
    if (result.state === 'completed') nanoseconds[task.name] = (result.latency.p50 * 1e6) / times
  }
  return { name, nanoseconds }
}
