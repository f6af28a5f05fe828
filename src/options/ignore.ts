/** Does nothing, for a failure or a result that need not be reported. The caller says why. */
export function ignore(): void {
  // Nothing to do.
}
