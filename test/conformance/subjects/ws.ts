import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import type { Subject } from '../subject.js'

const options = { perMessageDeflate: true, maxPayload: 64 * 1024 * 1024, maxFragments: 131_072 }

function echo(socket: WebSocket): void {
  // An error is what many cases are about; the record is made at the other end of the wire.
  socket.on('error', () => undefined)
  socket.on('message', (data: Buffer, isBinary) => {
    socket.send(data, { binary: isBinary })
  })
}

/** `ws`, whose results at the real suite are known: with it the harness itself is checked. */
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
