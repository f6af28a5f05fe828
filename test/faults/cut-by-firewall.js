// Runs in a separate network namespace: a server with a heartbeat and two clients, one of which the firewall cuts
// off silently, both ways. Prints the events as lines of JSON.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, WebSocketServer } from 'hubwire'

const heartbeat = { interval: 200, timeout: 200 }

/** @param {string} what @param {object} how */
const say = (what, how) => process.stdout.write(`${JSON.stringify({ what, ...how })}\n`)

execFileSync('ip', ['link', 'set', 'lo', 'up'])
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', heartbeat })
await once(server, 'listening')
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())

/** @returns {Promise<{ client: import('hubwire').WebSocket, socket: import('hubwire').WebSocket<undefined>, request: import('node:http').IncomingMessage }>} */
async function open() {
  const accepted = once(server, 'connection')
  const client = await connect(`ws://127.0.0.1:${port}/`, { heartbeat })
  const [socket, request] = await accepted
  return { client, socket, request }
}

const witness = await open()
const { client, socket, request } = await open()
// The connection works: the client answers.
for (let beats = 0; beats < 2; beats++) await once(socket, 'pong')

const clientPort = String(request.socket.remotePort)
for (const side of ['--sport', '--dport']) {
  execFileSync('iptables', ['-A', 'INPUT', '-p', 'tcp', side, clientPort, '-j', 'DROP'])
}
const before = request.socket.bytesWritten
let beats = 0
witness.socket.on('pong', () => beats++)
/** @param {string} name @param {import('hubwire').WebSocket} end */
async function sayClose(name, end) {
  // Not once() of node:events, which rejects with a preceding 'error'.
  await new Promise((resolve) => {
    end.once('close', (code, _reason, { wasClean, initiator, cause }) => {
      const bytes = request.socket.bytesWritten - before
      say(name, {
        code,
        wasClean,
        initiator,
        cause: /** @type {NodeJS.ErrnoException} */ (cause)?.code,
        bytes,
        beats,
      })
      resolve(undefined)
    })
  })
}
await Promise.all([sayClose('server', socket), sayClose('client', client)])
say('the rest', { witness: witness.socket.readyState, ...server.stats() })
process.exit()
