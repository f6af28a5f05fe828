import { ignore } from '../options/ignore.js'

/** Milliseconds that a broker has to answer the last messages of a hub that is closed. */
const TIMEOUT = 2000

/** Waits until a promise settles, for a limited time. */
export async function limited(promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, TIMEOUT)
  })
  await Promise.race([promise.catch(ignore), late])
  clearTimeout(timer)
}
