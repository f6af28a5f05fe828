// What the tests of the client for pages connect to, in a process of its own that they can stop, kill and start again. It
// answers a plain request with the URLs of its connections, and prints a line for the end of each. PORT sets the port.
// It ends when its input does.
import { createServer } from 'node:http'
import { answerPings, refuse, WebSocketServer } from 'hubwire'

const { PORT = '0' } = process.env
const say = (/** @type {string} */ line) => process.stdout.write(`${line}\n`)

/** The token that is accepted: its number goes up with each that has expired. */
let valid = 1

/** @type {(string | undefined)[]} */
const accepted = []

const http = createServer((request, response) => response.end(JSON.stringify(accepted)))
const server = new WebSocketServer({
  server: http,
  origins: '*',
  authenticate(request) {
    const token = new URL(request.url ?? '/', 'ws://host').searchParams.get('token')
    return token === null || token === `token ${valid}` ? {} : refuse.close(4401, `not valid: ${token}`)
  },
})
server.on('connection', (socket, { url }) => {
  accepted.push(url)
  answerPings(socket)
  socket.on('message', (data) => {
    if (data === 'expire') {
      valid++
      socket.close(4401, 'expired')
    } else socket.send(data)
  })
  socket.on('close', (code) => say(`closed ${code} ${url}`))
})
http.listen(Number(PORT), '127.0.0.1', () => {
  const address = http.address()
  if (typeof address === 'object') say(`listening ${address?.port}`)
})

process.once('SIGTERM', () => {
  void server.shutdown({ code: 1012, reason: 'restart', timeout: 1000 }).then(() => process.exit())
})
process.stdin.resume().once('end', () => process.exit())
