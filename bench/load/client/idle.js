import { openConnections } from './connection.js'

/**
 * Opens connections and holds them until the standard input ends.
 *
 * @param {import('./task.js').ConnectionTask} task
 * @returns {Promise<{ open: number }>}
 */
export async function idle(task) {
  const connections = await openConnections({ port: task.port, count: task.connections })
  return { open: connections.length }
}
