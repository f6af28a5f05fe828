// The client under test. The first argument is the URL of the fuzzing server. The client asks for the number of cases,
// echoes through one connection for each, then asks the server to write its reports.
import { WebSocket } from 'hubwire'
import { connectionOptions } from './peer-options.js'

const AGENT = 'hubwire'

const [base = ''] = process.argv.slice(2)

/** @typedef {import('hubwire').WebSocketEvents['message'][0]} Data */

/**
 * @param {string} path
 * @param {(data: Data, isBinary: boolean, socket: WebSocket) => void} onMessage
 * @returns {Promise<{ opened: boolean }>} resolves when the connection has closed
 */
function converse(path, onMessage) {
  return new Promise((resolve) => {
    const socket = new WebSocket(base + path, { heartbeat: false, ...connectionOptions })
    let opened = false
    socket.on('open', () => (opened = true))
    socket.on('message', (data, isBinary) => onMessage(data, isBinary, socket))
    socket.on('close', () => resolve({ opened }))
  })
}

async function countCases() {
  let count = 0
  await converse('/getCaseCount', (data) => (count = Number(data)))
  return count
}

const count = await countCases()
for (let number = 1; number <= count; number++) {
  const path = `/runCase?case=${number}&agent=${AGENT}`
  await converse(path, (data, isBinary, socket) => socket.send(data, { binary: isBinary }))
}
const { opened } = await converse(`/updateReports?agent=${AGENT}`, () => undefined)
process.exitCode = count > 0 && opened ? 0 : 1
