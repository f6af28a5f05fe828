import { prepareBatch } from './batch.js'
import { openConnections } from './connection.js'

/** How often a member that joins and leaves sends a message: they are spread over this time, in milliseconds. */
const CHURN_INTERVAL = 1000

/**
 * Opens the connections, waits for a line on the standard input, and then loads the server for some seconds. What it
 * answers is read and not looked at.
 *
 * @param {import('./task.js').DelayTask} task
 * @returns {Promise<{ open: number }>}
 */
export async function delay(task) {
  const { request } = prepareBatch(task.batch)
  const { compressed } = task.batch
  const connections = await openConnections({ port: task.port, count: task.connections, compressed })
  for (const connection of connections) connection.receive = () => {}
  process.stdout.write('open\n')
  await new Promise((resolve) => process.stdin.once('data', resolve))
  const sockets = connections.map(({ socket }) => socket)
  if (task.kind === 'flood') for (const socket of sockets) flood(socket, request)
  else if (task.kind === 'stream') for (const socket of sockets) socket.write(request)
  else churn(sockets, request)
  await new Promise((resolve) => setTimeout(resolve, task.seconds * 1000))
  return { open: connections.length }
}

/**
 * Writes without waiting for answers, as fast as the server reads.
 *
 * @param {import('node:net').Socket} socket
 * @param {Buffer} request
 */
function flood(socket, request) {
  const write = () => {
    // A server that keeps up takes every write at once: the loop must not keep the client from its timers.
    if (socket.write(request)) setImmediate(write)
    else socket.once('drain', write)
  }
  write()
}

/**
 * @param {import('node:net').Socket[]} sockets
 * @param {Buffer} request
 */
function churn(sockets, request) {
  const begun = performance.now()
  let sent = 0
  setInterval(() => {
    const due = ((performance.now() - begun) / CHURN_INTERVAL) * sockets.length
    for (; sent < due; sent++) sockets[sent % sockets.length]?.write(request)
  }, 1)
}
