import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'

/**
 * @typedef {object} Cores
 * @property {number} server
 * @property {number} client
 */

/**
 * The cores for the server and for the client: those that are asked for, else the last two, or null where processes
 * cannot be pinned.
 *
 * @param {string | undefined} asked for example `2,3`
 * @returns {Cores | null}
 */
export function chooseCores(asked) {
  const [server, client] = asked?.split(',').map(Number) ?? [cpus().length - 1, cpus().length - 2]
  if (server === undefined || client === undefined || client < 0) return null
  const cores = { server, client }
  try {
    for (const core of [server, client])
      execFileSync('taskset', ['-c', String(core), 'true'], { stdio: 'ignore' })
    return cores
  } catch {
    return null
  }
}

/**
 * The command, to be run on one core. taskset replaces itself: the process keeps its id.
 *
 * @param {string[]} command
 * @param {number | undefined} core
 */
export function pinned(command, core) {
  return core === undefined ? command : ['taskset', '-c', String(core), ...command]
}
