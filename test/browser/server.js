// What the tests of the client for pages connect to, in a process of its own that they can stop, kill and start again. It
// prints a line for each connection, and one for its end. PORT sets the port. It ends when its input does.
import { answerPings, refuse, WebSocketServer } from 'hubwire'

const { PORT = '0' } = process.env
const say = (/** @type {string} */ line) => process.stdout.write(`${line}\n`)

/** The token that is accepted: its number goes up with each that has expired. */
let valid = 1

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(PORT),
  origins: '*',
  authenticate(request) {
    const token = new URL(request.url ?? '/', 'ws://host').searchParams.get('token')
    return token === null || token === `token ${valid}` ? {} : refuse.close(4401, `not valid: ${token}`)
  },
})
server.on('connection', (socket, { url }) => {
  say(`connected ${url}`)
  answerPings(socket)
  socket.on('message', (data) => {
    if (data === 'expire') {
      valid++
      socket.close(4401, 'expired')
    } else socket.send(data)
  })
  socket.on('close', (code) => say(`closed ${code} ${url}`))
})
server.on('listening', () => {
  const address = server.address()
  if (typeof address === 'object') say(`listening ${address?.port}`)
})

process.once('SIGTERM', () => {
  void server.shutdown({ code: 1012, reason: 'restart', timeout: 1000 }).then(() => process.exit())
})
process.stdin.resume().once('end', () => process.exit())
