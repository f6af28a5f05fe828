import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** What the server does and how connections are made, for example `compressed+echo`; see measure.js. */
const mode = new Set((process.argv[2] ?? 'echo').split('+'))

/** Whether a message goes to all members, or back to its sender only. */
export const fanOut = mode.has('fan-out')

/** Whether to negotiate permessage-deflate without context takeover and to compress. */
export const compressed = mode.has('compressed')

/** Whether the sender of a message leaves the group, joins it again, and the message then goes to all members. */
export const churn = mode.has('churn')

/** Whether the first message of a connection makes it a member and is sent back, and all others go to all members. */
export const storm = mode.has('storm')

/** Whether a message is answered by {@link STREAM}. */
export const stream = mode.has('stream')

/** Whether text is delivered as a Buffer, where that is an option. */
export const bytes = mode.has('bytes')

/** Whether each opening handshake waits for an asynchronous check. */
export const authenticated = mode.has('authenticated')

/** 100 messages of 1 MiB, for one member. */
export const STREAM = Array.from({ length: 100 }, () => Buffer.alloc(1024 * 1024, 'a'))

/** The key and the certificate for `wss:`, or `undefined` for `ws:`. */
export const tls = mode.has('secure')
  ? readCertificate(process.env.HUBWIRE_BENCH_CERTIFICATE ?? '')
  : undefined

/** @param {string} directory */
function readCertificate(directory) {
  return { key: readFileSync(join(directory, 'key.pem')), cert: readFileSync(join(directory, 'cert.pem')) }
}

/** What an application asks its session store. */
export async function findUser() {
  await new Promise((resolve) => setImmediate(resolve))
  return { name: 'somebody' }
}

/**
 * Tells the bench that the server is listening. The line `delay` then begins to measure the delay of the event loop, any
 * other asks for a line about memory and the longest delay; the end of the standard input ends the server.
 *
 * @param {number} port
 * @param {() => void} [collectGarbage]
 */
export function ready(port, collectGarbage = () => globalThis.gc?.()) {
  process.stdout.write(`${port}\n`)
  /** @type {import('node:perf_hooks').IntervalHistogram | undefined} */
  let delays
  process.stdin.on('end', () => process.exit())
  process.stdin.on('data', (line) => {
    if (String(line).trim() === 'delay') {
      delays = monitorEventLoopDelay({ resolution: 1 })
      delays.enable()
      return
    }
    const longest = delays === undefined ? null : delays.max / 1e6
    collectGarbage()
    // The second collection returns to the operating system what the first has freed.
    setTimeout(() => {
      collectGarbage()
      const { rss, heapUsed } = process.memoryUsage()
      process.stdout.write(`${JSON.stringify({ rss, heapUsed, longest })}\n`)
    }, 300)
  })
}
