import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import type { Subject } from '../subject.js'

const options = { perMessageDeflate: true, maxPayload: 64 * 1024 * 1024, maxFragments: 131_072 }

function echo(socket: WebSocket): void {
  // Many cases cause an error. The result is recorded at the other end of the connection.
  socket.on('error', () => undefined)
  socket.on('message', (data: Buffer, isBinary) => {
    socket.send(data, { binary: isBinary })
  })
}

/** `ws`, whose results in the real suite are known. It is used to check the harness itself. */
export const subject: Subject = {
  name: 'ws',
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
