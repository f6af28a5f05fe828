import { AsyncResource } from 'node:async_hooks'

/**
 * How many of zlib's jobs run on the thread pool at once: thousands fragment the memory and starve the pool's other
 * users (file system, DNS). The rest wait here in order.
 */
const MAX_RUNNING = 8

type Job = (done: () => void) => void

const waiting: Job[] = []
let running = 0

/**
 * Runs `job` when there is room; it calls `done` once, when it has ended. A job that waits runs in the async context of
 * the one who enqueued it, not of the one whose job has ended.
 */
export function enqueue(job: Job): void {
  if (running === MAX_RUNNING) {
    waiting.push(AsyncResource.bind(job))
    return
  }
  running++
  job(() => {
    running--
    const next = waiting.shift()
    if (next !== undefined) enqueue(next)
  })
}
