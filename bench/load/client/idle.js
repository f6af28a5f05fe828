import { BatchCounter } from './batch-counter.js'
import { openConnections } from './connection.js'
import { prepareExchange } from './echo.js'

/**
 * Opens connections, sends a batch through each of them if the task has one, and holds them until the standard input
 * ends.
 *
 * @param {import('./task.js').ConnectionTask} task
 * @returns {Promise<{ open: number }>}
 */
export async function idle({ port, connections: count, batch: shape, secure }) {
  if (shape === undefined) return { open: (await openConnections({ port, count, secure })).length }
  const { batch, answer } = await prepareExchange({ port, ...shape })
  const connections = await openConnections({ port, count, compressed: shape.compressed, secure })
  for (const connection of connections) {
    await new Promise((/** @type {(complete: void) => void} */ resolve) => {
      const counter = new BatchCounter(answer, resolve)
      connection.receive = (size, bytes) => counter.receive(size, bytes)
      connection.socket.write(batch.request)
    })
  }
  return { open: connections.length }
}
