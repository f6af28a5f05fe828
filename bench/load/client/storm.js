import { once } from 'node:events'
import { receiverOf } from './batch-counter.js'
import { prepareBatch } from './batch.js'
import { openConnections } from './connection.js'
import { quantilesOf } from './measurement.js'

/** @typedef {import('./task.js').StormTask} StormTask */

/** Milliseconds between two messages. */
const INTERVAL = 5

/** How many clients reconnect at the same time. */
const AT_ONCE = 500

/**
 * Opens the members of a group, of which the first publishes at a steady rate between two lines on the standard input.
 * A delivery begins when its message is due; those to every member are counted.
 *
 * @param {StormTask} task
 * @returns {Promise<Partial<import('./measurement.js').Sample>>}
 */
export async function publish({ port, connections: count, batch }) {
  const { request, answer } = prepareBatch(batch)
  const members = await openConnections({ port, count })
  /** @type {number[]} when each message was due */
  const due = []
  /** @type {number[]} */
  const times = []
  await Promise.all(members.map((member) => join(member, request, answer, due, times)))
  await nextLine('open')

  const begun = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    for (let next = begun + due.length * INTERVAL; next <= now; next += INTERVAL) {
      due.push(next)
      members[0]?.socket.write(request)
    }
  }, 1)
  await nextLine('publishing')
  clearInterval(timer)
  return { perSecond: (times.length / (performance.now() - begun)) * 1000, ...quantilesOf(times) }
}

/**
 * The first message of a connection makes it a member of the group, and is sent back to it alone.
 *
 * @param {import('./connection.js').Connection} member
 * @param {Buffer} request
 * @param {Buffer} answer
 * @param {readonly number[]} due when each message after that was due
 * @param {number[]} times how long each took to arrive
 * @returns {Promise<void>} resolved when it is a member
 */
function join(member, request, answer, due, times) {
  return new Promise((resolve) => {
    let received = -1
    member.receive = receiverOf(answer, () => {
      const dueAt = due[received++]
      if (dueAt === undefined) resolve()
      else times.push(performance.now() - dueAt)
    })
    member.socket.write(request)
  })
}

/**
 * Opens connections, ends all of them at once when a line arrives on the standard input, and opens them again.
 *
 * @param {StormTask} task
 * @returns {Promise<{ open: number }>}
 */
export async function reconnect({ port, connections: count }) {
  const connections = await openConnections({ port, count })
  await nextLine('open')
  for (const connection of connections) connection.end()
  return { open: (await openConnections({ port, count, atOnce: AT_ONCE })).length }
}

/**
 * Writes a line to the standard output and waits for one on the standard input.
 *
 * @param {string} line
 */
async function nextLine(line) {
  process.stdout.write(`${line}\n`)
  await once(process.stdin, 'data')
}
