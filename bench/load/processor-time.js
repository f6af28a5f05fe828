import { readFileSync } from 'node:fs'

/** Linux counts processor time for user space in ticks of 10 ms on every architecture that Node.js runs on. */
const TICK_MICROSECONDS = 10_000

/**
 * The processor time that all threads of a process have used, or null if the operating system has no /proc.
 *
 * @param {number} pid
 * @returns {number | null} microseconds
 */
export function processorTime(pid) {
  let stat
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return null
  }
  // The second field, the name, is in parentheses and may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS
}
