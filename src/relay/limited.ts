import { ignore } from '../options/ignore.js'

/** Waits until a promise settles, for a limited time in milliseconds. */
export async function limited(promise: Promise<unknown>, timeout: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, timeout)
  })
  await Promise.race([promise.catch(ignore), late])
  clearTimeout(timer)
}
