import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { ping, WebSocket } from 'undici'
import { Queue } from '../support/queue.js'
import type { Close, PeerClient } from './peer.js'

/** The WebSocket of undici, which is also Node's own. It offers compression, but compresses nothing. */
export function undiciClient(): PeerClient {
  return {
    abilities: new Set(['ping', 'bare close', '1005', 'inflate']),
    async open(url, protocols) {
      const socket = new WebSocket(url, [...protocols])
      socket.binaryType = 'arraybuffer'
      const messages = new Queue<string | Buffer>()
      socket.addEventListener('message', ({ data }: { data: string | ArrayBuffer }) => {
        messages.push(typeof data === 'string' ? data : Buffer.from(data))
      })
      const closed = new Promise<Close>((resolve) => {
        socket.addEventListener('close', ({ code, reason }) => {
          resolve({ code, reason })
        })
      })
      await new Promise<void>((resolve, reject) => {
        socket.addEventListener('open', () => {
          resolve()
        })
        socket.addEventListener('error', ({ message }) => {
          reject(new Error(message))
        })
      })
      return {
        protocol: socket.protocol,
        extensions: socket.extensions,
        closed,
        send(message) {
          socket.send(message)
        },
        sendFragments() {
          throw new Error('undici sends no fragments')
        },
        ping: (payload) =>
          new Promise((resolve) => {
            const onPong = (message: unknown): void => {
              const pong = message as { websocket: WebSocket; payload?: Buffer }
              if (pong.websocket !== socket) return
              unsubscribe('undici:websocket:pong', onPong)
              resolve(String(pong.payload))
            }
            subscribe('undici:websocket:pong', onPong)
            ping(socket, Buffer.from(payload))
          }),
        nextMessage: () => messages.next(),
        close(code, reason) {
          socket.close(code, reason)
        },
      }
    },
  }
}
