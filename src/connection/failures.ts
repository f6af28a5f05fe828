import { toError } from '../options/thrown.js'

const WARNINGS_A_MINUTE = 10
const MINUTE = 60_000

let windowStart = 0
let warned = 0
let suppressed = 0

/**
 * Emits a process warning with the stack for a failure in the application's code without an `'error'` listener: a bug
 * must not go unnoticed, and a peer that triggers it repeatedly must not flood the log. There are ten warnings a
 * minute, and then the number of those left out.
 */
export function warnOfFailure(failure: unknown): void {
  const error = toError(failure)
  const now = performance.now()
  if (warned === 0 || now - windowStart >= MINUTE) {
    if (suppressed > 0) {
      process.emitWarning(`${suppressed} further failures of handlers were not shown`, {
        type: 'HubwireWarning',
        code: 'HUBWIRE_HANDLER_FAILED',
      })
    }
    windowStart = now
    warned = 0
    suppressed = 0
  }
  if (warned === WARNINGS_A_MINUTE) {
    suppressed++
    return
  }
  warned++
  process.emitWarning(`A handler failed: ${error.message}`, {
    type: 'HubwireWarning',
    code: 'HUBWIRE_HANDLER_FAILED',
    detail: error.stack ?? error.message,
  })
}
