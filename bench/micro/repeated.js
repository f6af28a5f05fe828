/**
 * Work done several times in one call, which makes it long enough for the clock.
 *
 * @param {number} times
 * @param {() => unknown} work
 */
export function repeated(times, work) {
  return () => {
    for (let i = 0; i < times; i++) work()
  }
}
