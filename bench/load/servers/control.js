/** @typedef {'echo' | 'fan-out' | 'compressed-echo' | 'compressed-fan-out'} Mode */

const argument = process.argv[2] ?? 'echo'

/** Whether a message goes back to its sender alone or to all members. */
export const fanOut = argument.endsWith('fan-out')

/** Whether permessage-deflate without context takeover is agreed to and used. */
export const compressed = argument.startsWith('compressed')

/**
 * Tells the bench that the server is listening. Whatever the bench then writes asks for a line about memory, and the
 * end of the standard input is the end of the server.
 *
 * @param {number} port
 * @param {() => void} [collectGarbage]
 */
export function ready(port, collectGarbage = () => globalThis.gc?.()) {
  process.stdout.write(`${port}\n`)
  process.stdin.on('end', () => process.exit())
  process.stdin.on('data', () => {
    collectGarbage()
    // What the first collection has set free is returned to the operating system by the next.
    setTimeout(() => {
      collectGarbage()
      const { rss, heapUsed } = process.memoryUsage()
      process.stdout.write(`${JSON.stringify({ rss, heapUsed })}\n`)
    }, 300)
  })
}
