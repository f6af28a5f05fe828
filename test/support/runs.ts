/**
 * By how much `npm run full` multiplies the counts of property tests: 50, with HUBWIRE_RUNS=50. `npm test` and
 * `.ci/run` leave it at 1.
 */
const factor = Number(process.env.HUBWIRE_RUNS ?? '1')
if (!(factor >= 1))
  throw new RangeError(`HUBWIRE_RUNS=${process.env.HUBWIRE_RUNS}: must be a number of at least 1`)

/**
 * The number of cases that a property test tries: `numRuns: runs(200)` is 200, and 10,000 in `npm run full`. It also
 * scales fast-check's time limits: `interruptAfterTimeLimit: runs(15_000)`.
 */
export function runs(small: number): number {
  return Math.round(small * factor)
}
