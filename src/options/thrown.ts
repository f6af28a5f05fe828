import { describe } from './describe.js'

/** Converts a thrown value or a rejection reason to an `Error`: JavaScript can throw values of any type. */
export function toError(failure: unknown): Error {
  return failure instanceof Error ? failure : new Error(textOf(failure), { cause: failure })
}

/** Throws in a separate tick, outside of any `catch` of the caller, so that the failure is uncaught. */
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
