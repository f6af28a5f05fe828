import { randomUUID } from 'node:crypto'
import { answerPings } from 'hubwire'

/** The number of samples in the first message: one minute. */
const HISTORY = 60
/** A member counts as slow if more bytes wait for it. */
const SLOW = 64 * 1024

/**
 * Sends a sample of the servers and of the hub `rooms` to all clients of `server`, once a second. The first message has the id
 * of the process and its samples of the last minute. With a relay, clients also get the samples of the other processes.
 *
 * @typedef {import('hubwire').WebSocketServer} Server
 * @typedef {import('hubwire').Hub<import('hubwire').WebSocket>} SocketHub
 *
 * @param {Server} server
 * @param {{ of: Server[], rooms: SocketHub, backstage: SocketHub }} what
 */
export function showStatistics(server, { of: servers, rooms, backstage }) {
  const watchers = backstage.group('watchers')
  const id = randomUUID()
  /** @type {object[]} */
  const history = []
  let before = count()

  server.on('connection', (socket) => {
    answerPings(socket)
    socket.send(JSON.stringify({ own: id, samples: history }))
    watchers.add(socket)
  })
  setInterval(() => {
    const now = count()
    const sockets = servers.flatMap(({ clients }) => [...clients])
    const sample = {
      process: { id, pid: process.pid, uptime: Math.round(process.uptime()) },
      connections: sockets.length,
      rooms: rooms.stats().groups,
      received: now.received - before.received,
      sent: now.sent - before.sent,
      slow: sockets.filter(({ bufferedAmount }) => bufferedAmount > SLOW).length,
      broadcasts: rooms.stats().broadcasts,
      delivered: rooms.stats().delivered,
    }
    before = now
    history.push(sample)
    if (history.length > HISTORY) history.shift()
    watchers.broadcast(JSON.stringify({ samples: [sample] }))
  }, 1000).unref()

  /** Messages since the start. */
  function count() {
    const messages = servers.map((each) => each.stats().messages)
    return {
      received: total(messages.map((each) => each.received)),
      sent: total(messages.map((each) => each.sent)),
    }
  }
}

/** @param {number[]} numbers */
const total = (numbers) => numbers.reduce((sum, each) => sum + each, 0)
