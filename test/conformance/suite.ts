import { describe, expect, test } from 'vitest'
import { sections } from './cases/index.js'
import type { Outcome } from './judgement.js'
import type { ConformanceCase } from './vocabulary.js'

export interface ConformanceResult extends Outcome {
  readonly direction: 'server' | 'client'
  readonly subject: string
  readonly id: string
  readonly about: string
}

declare module 'vitest' {
  interface TaskMeta {
    /** For the table at the end of the run. */
    conformance?: ConformanceResult
  }
}

/** CONFORMANCE_FULL=1 runs the heavy cases too, and a thousand messages in each case of sections 12 and 13. */
export const fullRun = process.env.CONFORMANCE_FULL === '1'

/** CONFORMANCE_ONLY=6.4 runs the cases whose numbers begin so. */
function isWanted({ id, heavy }: ConformanceCase): boolean {
  const only = process.env.CONFORMANCE_ONLY
  return (heavy !== true || fullRun) && (only === undefined || `${id}.`.startsWith(`${only}.`))
}

/** Longer than the waits of a case, so that a case ends with a verdict and not by this timeout. */
const timeout = fullRun ? 900_000 : 120_000

/** Declares a test for each case of the list. */
export function declareCases(
  direction: ConformanceResult['direction'],
  subject: string,
  run: (testCase: ConformanceCase) => Promise<Outcome>,
): void {
  for (const { title, cases } of sections) {
    const wanted = cases.filter(isWanted)
    if (wanted.length === 0) continue
    describe.concurrent(title, { timeout }, () => {
      for (const testCase of wanted) {
        const { id, about } = testCase
        test(`${id} ${about}`, async ({ task }) => {
          const outcome = await run(testCase)
          task.meta.conformance = { direction, subject, id, about, ...outcome }
          const verdict = testCase.expect.informational === true ? 'INFORMATIONAL' : 'OK'
          expect(outcome, outcome.detail).toMatchObject({ behavior: verdict, behaviorClose: verdict })
        })
      }
    })
  }
}
