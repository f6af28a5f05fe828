import { describe } from './describe.js'

/** What was thrown, or rejected with, as an `Error`: JavaScript throws values of any type. */
export function toError(failure: unknown): Error {
  return failure instanceof Error ? failure : new Error(textOf(failure), { cause: failure })
}

/** Throws in a tick of its own, where no `catch` of the caller stands: for Node.js, the failure is uncaught. */
export function throwLater(failure: unknown): void {
  process.nextTick(rethrow, failure)
}

function rethrow(failure: unknown): never {
  throw failure
}

function textOf(failure: unknown): string {
  try {
    return String(failure)
  } catch {
    // An object without a prototype, or with a `toString` that throws.
    return describe(failure)
  }
}
