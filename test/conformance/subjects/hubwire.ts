import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'hubwire'
import type { Subject } from '../subject.js'

const mebi = 1024 * 1024

// The largest message of section 9 has 16 MiB, and its complete echo is buffered for a connection.
const options = {
  perMessageDeflate: true,
  maxPayload: 16 * mebi,
  heartbeat: false,
  maxBufferedAmount: 64 * mebi,
} as const

function echo(socket: WebSocket): void {
  socket.on('message', (data, isBinary) => {
    socket.send(data, { binary: isBinary })
  })
}

export const subject: Subject = {
  name: 'hubwire',
  async startEchoServer() {
    const server = new WebSocketServer({ ...options, port: 0, host: '127.0.0.1' })
    server.on('connection', echo)
    await once(server, 'listening')
    return {
      port: (server.address() as AddressInfo).port,
      close: () =>
        new Promise((resolve) => {
          server.close(() => {
            resolve()
          })
        }),
    }
  },
  runEchoClient(url) {
    const socket = new WebSocket(url, options)
    echo(socket)
    return new Promise((resolve) => {
      socket.on('close', () => {
        resolve()
      })
    })
  },
}
