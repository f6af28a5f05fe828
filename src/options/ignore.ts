/** Does nothing, for a failure or an answer of which nobody has to be told: why not is said where it is passed. */
export function ignore(): void {
  // Nothing to do.
}
