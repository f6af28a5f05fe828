import { Duplex, type DuplexOptions } from 'node:stream'
import { CloseCode } from './protocol/close-codes.js'
import type { WebSocket } from './websocket.js'

/**
 * A Node stream over a socket: each chunk written is a message, each message arrives as a chunk. Both directions have
 * backpressure: a write's callback waits for the peer, and what is not read stops reading from it. The end of the
 * stream closes the socket, and a broken connection destroys the stream with the cause.
 *
 * @param socket - open, or about to be
 * @param options - of the `Duplex`; with `readableObjectMode` chunks keep to messages, text as strings
 */
export function createWebSocketStream(socket: WebSocket, options: DuplexOptions = {}): Duplex {
  const duplex = new Duplex({
    ...options,
    autoDestroy: false,
    emitClose: false,
    read() {
      socket.resume()
    },
    write(chunk: string | Buffer, _encoding, callback) {
      whenOpen(socket, () => {
        socket.send(chunk, callback)
      })
    },
    final(callback) {
      whenOpen(socket, () => {
        socket.once('close', () => {
          callback()
        })
        socket.close()
      })
    },
    destroy(error, callback) {
      if (socket.readyState === socket.CLOSED) {
        callback(error)
        duplex.emit('close')
        return
      }
      socket.once('close', () => {
        callback(error)
        duplex.emit('close')
      })
      socket.terminate()
    },
  })
  socket.on('message', (data, isBinary) => {
    const chunk = !isBinary && !duplex.readableObjectMode ? Buffer.from(data as string) : data
    if (!duplex.push(chunk)) socket.pause()
  })
  socket.once('close', (code, _reason, { cause }) => {
    if (duplex.destroyed) return
    if (code === CloseCode.abnormal)
      duplex.destroy(cause ?? new Error('The connection ended without a Close frame (1006)'))
    else duplex.push(null)
  })
  return duplex
}

function whenOpen(socket: WebSocket, action: () => void): void {
  if (socket.readyState === socket.CONNECTING) socket.once('open', action)
  else action()
}
