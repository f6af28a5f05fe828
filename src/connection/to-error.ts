/** What was thrown or rejected with, as an `Error`: JavaScript throws anything. */
export function toError(failure: unknown): Error {
  return failure instanceof Error ? failure : new Error(String(failure), { cause: failure })
}
