import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { turn } from './event-loop.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Collects garbage a few times, with turns in between for callbacks that release memory. */
export async function collectGarbage(): Promise<void> {
  for (let round = 0; round < 4; round++) {
    await turn()
    collect()
  }
}

/** Whether nothing holds the object of a reference any more. */
export async function isCollected(reference: WeakRef<object>): Promise<boolean> {
  for (let round = 0; round < 10 && reference.deref() !== undefined; round++) await collectGarbage()
  return reference.deref() === undefined
}

/** The bytes of all buffers that something holds. What merely waits for the collector does not count. */
export async function heldBytes(): Promise<number> {
  await collectGarbage()
  return process.memoryUsage().arrayBuffers
}
