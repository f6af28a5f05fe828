import { once } from 'node:events'
import { WebSocket } from 'ws'
import { Queue } from '../support/queue.js'
import type { Close, PeerClient } from './peer.js'

export function wsClient(deflate: boolean): PeerClient {
  return {
    abilities: new Set(['fragments', 'ping', 'bare close', '1005', 'inflate', 'deflate']),
    async open(url, protocols) {
      const socket = new WebSocket(url, [...protocols], { perMessageDeflate: deflate })
      const messages = new Queue<string | Buffer>()
      socket.on('message', (data: Buffer, binary) => {
        messages.push(binary ? data : data.toString())
      })
      const closed = new Promise<Close>((resolve) => {
        socket.on('close', (code, reason) => {
          resolve({ code, reason: reason.toString() })
        })
      })
      await once(socket, 'open')
      return {
        protocol: socket.protocol,
        extensions: socket.extensions,
        closed,
        send(message) {
          socket.send(message)
        },
        sendFragments(fragments) {
          fragments.forEach((fragment, at) => {
            socket.send(fragment, { binary: false, fin: at === fragments.length - 1 })
          })
        },
        async ping(payload) {
          const pong = once(socket, 'pong') as Promise<[Buffer]>
          socket.ping(payload)
          return (await pong)[0].toString()
        },
        nextMessage: () => messages.next(),
        close(code, reason) {
          socket.close(code, reason)
        },
      }
    },
  }
}
