import { receiverOf } from './batch-counter.js'
import { prepareBatch } from './batch.js'
import { openConnections } from './connection.js'
import { Measurement } from './measurement.js'

/**
 * Sends single messages on all connections in turn, at a steady rate. A round trip begins when its message is due, so
 * that a server that falls behind is not spared the messages that it delays.
 *
 * @param {import('./task.js').PacedTask} task
 * @returns {Promise<import('./measurement.js').Sample>}
 */
export async function paced(task) {
  const { request, answer } = prepareBatch({ ...task, inFlight: 1, binary: false, compressed: false })
  const connections = await openConnections({ port: task.port, count: task.connections })
  return new Promise((resolve) => {
    const measurement = new Measurement(task, resolve)
    const lines = connections.map((connection) => {
      /** @type {number[]} when the messages that are not answered yet were due */
      const due = []
      connection.receive = receiverOf(answer, () => {
        measurement.note(1, due.shift() ?? 0)
      })
      return { socket: connection.socket, due }
    })
    const interval = 1000 / task.perSecond
    let next = performance.now()
    let index = 0
    const sendDue = () => {
      const now = performance.now()
      for (; next <= now; next += interval) {
        const line = lines[index++ % lines.length]
        line?.due.push(next)
        line?.socket.write(request)
      }
      setImmediate(sendDue)
    }
    sendDue()
  })
}
