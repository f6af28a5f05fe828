/**
 * Work done several times in one call, so that the clock can tell it from nothing.
 *
 * @param {number} times
 * @param {() => unknown} work
 */
export function repeated(times, work) {
  return () => {
    for (let i = 0; i < times; i++) work()
  }
}
