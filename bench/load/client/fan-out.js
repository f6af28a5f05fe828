import { BatchCounter } from './batch-counter.js'
import { openConnections } from './connection.js'
import { prepareExchange } from './echo.js'
import { Measurement } from './measurement.js'

/**
 * The first member sends a batch or, with `everyone`, each of them does. When all members have received everything, they
 * send the next.
 *
 * @param {import('./task.js').MessageTask} task
 * @returns {Promise<import('./measurement.js').Sample>}
 */
export async function fanOut(task) {
  const { batch, answer } = await prepareExchange(task)
  const members = await openConnections({ ...task, count: task.connections })
  const publishers = task.everyone ? members : members.slice(0, 1)
  const whole = Buffer.concat(publishers.map(() => answer))
  return new Promise((resolve) => {
    const measurement = new Measurement(task, resolve)
    let waiting = members.length
    let sentAt = performance.now()
    const publish = () => {
      for (const { socket } of publishers) socket.write(batch.request)
    }
    const memberComplete = () => {
      if (--waiting > 0) return
      waiting = members.length
      sentAt = measurement.note(task.inFlight * publishers.length * members.length, sentAt)
      publish()
    }
    for (const member of members) {
      const counter = new BatchCounter(whole, memberComplete)
      member.receive = (size, bytes) => {
        counter.receive(size, bytes)
      }
    }
    publish()
  })
}
