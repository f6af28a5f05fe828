/** For a promise whose failure shows elsewhere: in the state of the connection, or in an answer that does not come. */
export function ignoreFailure(): void {
  // Nothing to do.
}
