import { BatchCounter } from './batch-counter.js'
import { prepareBatch } from './batch.js'
import { openConnections } from './connection.js'
import { Measurement } from './measurement.js'
import { probe } from './probe.js'

/** @typedef {import('./task.js').MessageTask} MessageTask */

/**
 * Every connection sends a batch, waits for the whole answer, and sends the next.
 *
 * @param {MessageTask} task
 * @returns {Promise<import('./measurement.js').Sample>}
 */
export async function echo(task) {
  const { batch, answer } = await prepareExchange(task)
  const connections = await openConnections({ ...task, count: task.connections })
  return new Promise((resolve) => {
    const measurement = new Measurement(task, resolve)
    for (const connection of connections)
      repeat(connection, batch.request, answer, task.inFlight, measurement)
  })
}

/**
 * @param {import('./connection.js').Connection} connection
 * @param {Buffer} request
 * @param {Buffer} answer
 * @param {number} inFlight
 * @param {Measurement} measurement
 */
function repeat(connection, request, answer, inFlight, measurement) {
  let sentAt = performance.now()
  const counter = new BatchCounter(answer, () => {
    sentAt = measurement.note(inFlight, sentAt)
    connection.socket.write(request)
  })
  connection.receive = (size, bytes) => {
    counter.receive(size, bytes)
  }
  connection.socket.write(request)
}

/**
 * The batch that is sent and the bytes that must answer it.
 *
 * @param {{ port: number } & import('./batch.js').BatchShape} task
 */
export async function prepareExchange(task) {
  const batch = prepareBatch(task)
  if (!task.compressed) return { batch, answer: batch.answer }
  const frame = await probe(task.port, batch)
  return { batch, answer: Buffer.concat(Array.from({ length: task.inFlight }, () => frame)) }
}
