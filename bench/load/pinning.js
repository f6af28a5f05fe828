import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'

/**
 * @typedef {object} Cores
 * @property {number} server
 * @property {number} client
 */

/**
 * The cores for the server and for the client: the given ones or the last two. Null if processes cannot be pinned.
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
 * The command that runs another one on one core. taskset replaces itself, so the process id stays the same.
 *
 * @param {string[]} command
 * @param {number | undefined} core
 */
export function pinned(command, core) {
  return core === undefined ? command : ['taskset', '-c', String(core), ...command]
}
