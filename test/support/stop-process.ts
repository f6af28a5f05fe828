import { readdirSync, readFileSync } from 'node:fs'
import { turn } from './event-loop.js'

/**
 * Stops a process in the middle of whatever it does, with SIGSTOP, and waits until each of its threads has stopped. A
 * thread that is running takes the signal later than `kill` returns. Where there is no `/proc`, it does not wait.
 */
export async function stopProcess(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  if (process.platform !== 'linux') return
  while (statesOf(pid).some((state) => state !== 'T')) await turn()
}

/** The state of each thread, a letter (proc(5)). */
function statesOf(pid: number): (string | undefined)[] {
  const tasks = `/proc/${pid}/task`
  return readdirSync(tasks).map(
    (task) => /\) (\w)/.exec(readFileSync(`${tasks}/${task}/stat`, 'latin1'))?.[1],
  )
}
