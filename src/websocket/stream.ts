import { Duplex, type DuplexOptions } from 'node:stream'
import { describe } from '../options/describe.js'
import { CloseCode } from '../protocol/close-codes.js'
import type { WebSocket } from './websocket.js'

/**
 * A Node stream over a socket: each chunk written is a message, each message arrives as a chunk. Both directions have
 * backpressure: a write's callback waits for the peer, and what is not read stops reading from it. The end of the
 * stream closes the socket, the peer's Close ends the stream, and a broken connection destroys it, with the cause as `'error'`
 * for those who listen.
 *
 * @param socket - open, or about to be
 * @param options - of the `Duplex`; with `readableObjectMode` chunks keep to messages, text as strings
 */
export function createWebSocketStream(socket: WebSocket, options?: DuplexOptions | null): Duplex {
  if (typeof socket?.onceClosed !== 'function') {
    throw new TypeError(
      `createWebSocketStream() needs a WebSocket; it is given ${describe(socket)}: write createWebSocketStream(socket)`,
    )
  }
  const duplex = new Duplex({
    // A connection that is closed takes no more either.
    allowHalfOpen: false,
    ...options,
    read() {
      socket.resume()
    },
    write(chunk: string | Buffer, _encoding, callback) {
      whenOpen(socket, () => {
        try {
          socket.send(chunk, (error) => {
            // Destroyed first, a stream keeps the error to the one who wrote.
            if (error && !isHeard(duplex)) duplex.destroy()
            callback(error)
          })
        } catch (error) {
          // In object mode: what cannot be sent.
          callback(error as Error)
        }
      })
    },
    final(callback) {
      whenOpen(socket, () => {
        whenClosed(socket, callback)
        socket.close()
      })
    },
    destroy(error, callback) {
      whenClosed(socket, () => {
        callback(error)
      })
      socket.terminate()
    },
  })
  socket.on('message', (data) => {
    // Text, or an ArrayBuffer by `binaryType`: streams of bytes take neither as they are.
    const chunk = duplex.readableObjectMode || Buffer.isBuffer(data) ? data : Buffer.from(data as string)
    if (!duplex.push(chunk)) socket.pause()
  })
  socket.onceClosed((code, _reason, { cause }) => {
    if (cause === undefined && code !== CloseCode.abnormal) {
      duplex.push(null)
      return
    }
    const error = cause ?? new Error('The connection ended without a Close frame (1006)')
    duplex.destroy(isHeard(duplex) ? error : undefined)
  })
  if (socket.readyState === socket.CLOSED) duplex.push(null)
  return duplex
}

/** An `'error'` without a listener ends the process, which no peer must be able to do. */
function isHeard(duplex: Duplex): boolean {
  return duplex.listenerCount('error') > 0
}

function whenOpen(socket: WebSocket, action: () => void): void {
  if (socket.readyState === socket.CONNECTING) socket.once('open', action)
  else action()
}

function whenClosed(socket: WebSocket, action: () => void): void {
  if (socket.readyState === socket.CLOSED) action()
  else {
    socket.onceClosed(() => {
      action()
    })
  }
}
