import { BatchCounter } from './batch-counter.js'
import { openConnections } from './connection.js'
import { DIALECTS } from './dialects.js'
import { Measurement } from './measurement.js'

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./dialects.js').Dialect} Dialect */

/**
 * Speaks with the server of a package that was written for ws: every connection sends a batch and waits for its answer,
 * or one sends and all wait. Every answer is compared byte for byte.
 *
 * @param {import('./task.js').ConsumerTask} task
 * @returns {Promise<import('./measurement.js').Sample>}
 */
export async function consumer(task) {
  const dialect = DIALECTS[task.consumer](task)
  const connections = await connect(task, task.connections, dialect)
  const { publisherPath } = dialect
  const publishers =
    publisherPath === undefined
      ? connections
      : await connect(task, 1, { ...dialect, path: publisherPath, protocol: undefined, greeting: [] })
  return new Promise((resolve) => {
    const measurement = new Measurement(task, resolve)
    if (dialect.isFanOut) {
      repeat(publishers[0], connections, dialect, task.inFlight * connections.length, measurement)
    } else {
      for (const one of connections) repeat(one, [one], dialect, task.inFlight, measurement)
    }
  })
}

/**
 * @param {Connection | undefined} sender
 * @param {Connection[]} receivers
 * @param {Dialect} dialect
 * @param {number} messages that a batch causes
 * @param {Measurement} measurement
 */
function repeat(sender, receivers, dialect, messages, measurement) {
  if (sender === undefined) throw new Error('there is no connection')
  let sentAt = performance.now()
  const send = () => {
    const { request, answer } = dialect.next()
    let waiting = receivers.length
    for (const receiver of receivers) {
      const counter = new BatchCounter(answer, () => {
        if (--waiting > 0) return
        sentAt = measurement.note(messages, sentAt)
        send()
      })
      receiver.receive = (size, bytes) => {
        counter.receive(size, bytes)
      }
    }
    sender.socket.write(request)
  }
  send()
}

/**
 * @param {{ port: number }} task
 * @param {number} count
 * @param {Pick<Dialect, 'path' | 'greeting'> & { protocol?: string | undefined }} dialect
 */
async function connect({ port }, count, { path, protocol, greeting }) {
  /** @type {Promise<void>[]} */
  const greeted = []
  const welcome = (/** @type {Connection} */ connection) => {
    greeted.push(greet(connection, greeting))
  }
  const connections = await openConnections({ port, count, path, protocol, welcome })
  await Promise.all(greeted)
  return connections
}

/**
 * @param {Connection} connection
 * @param {Dialect['greeting']} greeting
 * @returns {Promise<void>} settles when the last frame of the greeting has come
 */
function greet(connection, greeting) {
  let received = Buffer.alloc(0)
  let step = -1
  let due = 0
  return new Promise((resolve) => {
    const go = () => {
      while (due === 0) {
        const next = greeting[++step]
        if (next === undefined) {
          resolve()
          return
        }
        if (next.send.length > 0) connection.socket.write(Buffer.concat(next.send))
        due = next.frames
      }
    }
    connection.receive = (size, bytes) => {
      received = Buffer.concat([received, bytes.subarray(0, size)])
      for (let length = lengthOf(received); due > 0 && length > 0; length = lengthOf(received)) {
        received = received.subarray(length)
        due--
      }
      go()
    }
    go()
  })
}

/**
 * @param {Buffer} bytes
 * @returns {number} the length of the frame in front, which has less than 64 KiB; 0 while it is not whole
 */
function lengthOf(bytes) {
  if (bytes.length < 2) return 0
  const short = bytes.readUInt8(1)
  if (short === 126 && bytes.length < 4) return 0
  const length = short === 126 ? 4 + bytes.readUInt16BE(2) : 2 + short
  return length <= bytes.length ? length : 0
}
