import { BatchCounter } from './batch-counter.js'
import { openConnections } from './connection.js'
import { prepareExchange } from './echo.js'
import { Measurement } from './measurement.js'

/**
 * The first member sends a batch, waits until all members, itself included, have received it, and sends the next.
 *
 * @param {import('./task.js').MessageTask} task
 * @returns {Promise<import('./measurement.js').Sample>}
 */
export async function fanOut(task) {
  const { batch, answer } = await prepareExchange(task)
  const members = await openConnections({ ...task, count: task.connections })
  const publisher = members[0]
  if (!publisher) throw new Error('the group has no members')
  return new Promise((resolve) => {
    const measurement = new Measurement(task, resolve)
    let waiting = members.length
    let sentAt = performance.now()
    const memberComplete = () => {
      if (--waiting > 0) return
      waiting = members.length
      sentAt = measurement.note(task.inFlight * members.length, sentAt)
      publisher.socket.write(batch.request)
    }
    for (const member of members) {
      const counter = new BatchCounter(answer, memberComplete)
      member.receive = (size, bytes) => {
        counter.receive(size, bytes)
      }
    }
    publisher.socket.write(batch.request)
  })
}
