// Shows what Node's sockets cost without any library: it counts bytes and answers whole frames with prepared ones.
import { createServer } from 'node:net'
import { createServer as createSecureServer } from 'node:tls'
import { prepareBatch } from '../client/batch.js'
import { ACCEPT } from '../client/handshake.js'
import { compressed, fanOut, ready, storm, tls } from './control.js'

const [payload, inFlight, type] = process.argv.slice(3)
const shape = { payload: Number(payload), inFlight: Number(inFlight), binary: type === 'binary', compressed }
const { answer, answerFrame, requestFrame } = prepareBatch(shape)

/** @type {Set<import('node:net').Socket>} */
const members = new Set()

const server = tls === undefined ? createServer({ noDelay: true }, accept) : createSecureServer(tls, accept)

/** @param {import('node:net').Socket} socket */
function accept(socket) {
  socket.setNoDelay()
  socket.once('data', (head) => {
    const extension = compressed ? `Sec-WebSocket-Extensions: ${offerIn(head)}\r\n` : ''
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Accept: ${ACCEPT}\r\n${extension}\r\n`,
    )
    if (!storm) members.add(socket)
    answerFrames(socket)
  })
  socket.on('close', () => members.delete(socket))
  socket.on('error', () => {})
}

/** @param {import('node:net').Socket} socket */
function answerFrames(socket) {
  let received = 0
  let answered = 0
  socket.on('data', (chunk) => {
    received += chunk.length
    let whole = Math.floor(received / requestFrame)
    // A paced client may have sent more than a batch.
    while (whole > answered) {
      const until = Math.min(whole, shape.inFlight)
      send(socket, answer.subarray(answered * answerFrame, until * answerFrame))
      answered = until
      if (until < shape.inFlight) return
      received -= until * requestFrame
      whole -= until
      answered = 0
    }
  })
}

/**
 * @param {import('node:net').Socket} socket
 * @param {Buffer} part
 */
function send(socket, part) {
  const isJoining = storm && !members.has(socket)
  if (isJoining) members.add(socket)
  for (const member of (fanOut || storm) && !isJoining ? members : [socket]) member.write(part)
}

/** @param {Buffer} head */
function offerIn(head) {
  return /^sec-websocket-extensions: *(.*)$/im.exec(head.toString('latin1'))?.[1] ?? ''
}

server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') ready(address.port)
})
