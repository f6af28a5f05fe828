/** @typedef {'echo' | 'fan-out' | 'compressed-echo' | 'compressed-fan-out'} Mode */

const argument = process.argv[2] ?? 'echo'

/** Whether a message goes to all members, or back to its sender only. */
export const fanOut = argument.endsWith('fan-out')

/** Whether to negotiate permessage-deflate without context takeover and to compress. */
export const compressed = argument.startsWith('compressed')

/**
 * Tells the bench that the server is listening. Any input then asks for a line about memory, and the end of the standard
 * input ends the server.
 *
 * @param {number} port
 * @param {() => void} [collectGarbage]
 */
export function ready(port, collectGarbage = () => globalThis.gc?.()) {
  process.stdout.write(`${port}\n`)
  process.stdin.on('end', () => process.exit())
  process.stdin.on('data', () => {
    collectGarbage()
    // The second collection returns to the operating system what the first has freed.
    setTimeout(() => {
      collectGarbage()
      const { rss, heapUsed } = process.memoryUsage()
      process.stdout.write(`${JSON.stringify({ rss, heapUsed })}\n`)
    }, 300)
  })
}
