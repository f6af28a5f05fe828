/**
 * zlib's jobs on the thread pool, a few at a time: thousands at once fragment the memory and starve the pool's other
 * users (file system, DNS). The rest wait here in order.
 */
const MOST_AT_ONCE = 8

type Job = (done: () => void) => void

const waiting: Job[] = []
let running = 0

/** Runs `job` when there is room; it calls `done` once, when it has ended. */
export function enqueue(job: Job): void {
  if (running === MOST_AT_ONCE) {
    waiting.push(job)
    return
  }
  running++
  job(() => {
    running--
    const next = waiting.shift()
    if (next !== undefined) enqueue(next)
  })
}
