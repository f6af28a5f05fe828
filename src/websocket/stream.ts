import { Duplex, type DuplexOptions } from 'node:stream'
import { describe } from '../options/describe.js'
import { CloseCode } from '../protocol/close-codes.js'
import { endedError } from './message-iterator.js'
import type { WebSocket } from './websocket.js'

/**
 * A Node.js stream over a socket: each written chunk becomes a message, each message a chunk. Both directions have
 * backpressure: the callback of a write waits for the peer, and unread chunks stop reading from it. The end of the
 * stream closes the socket, the peer's Close frame ends the stream, and a broken connection destroys it. `'error'` with
 * the cause is emitted only if it has a listener.
 *
 * @param socket - open, or about to be
 * @param options - of the `Duplex`; with `readableObjectMode` each chunk is exactly one message, and text is a string
 */
export function createWebSocketStream(socket: WebSocket, options?: DuplexOptions | null): Duplex {
  if (typeof socket?.onceClosed !== 'function') {
    throw new TypeError(
      `createWebSocketStream() needs a WebSocket; it is given ${describe(socket)}: write createWebSocketStream(socket)`,
    )
  }
  const duplex = new Duplex({
    // A closed connection accepts nothing either.
    allowHalfOpen: false,
    ...options,
    read() {
      socket.resume()
    },
    write(chunk: string | Buffer, _encoding, callback) {
      const send = (): void => {
        try {
          socket.send(chunk, (error) => {
            // A stream that is destroyed first passes the error only to the callback of the write.
            if (error && !isHeard(duplex)) duplex.destroy()
            callback(error)
          })
        } catch (error) {
          // In object mode a chunk may have a type that cannot be sent.
          callback(error as Error)
        }
      }
      // Node.js leaves it to us to call back for the write that is under way, also after the stream is destroyed.
      whenOpen(socket, send, callback)
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
  readFrom(socket, duplex)
  return duplex
}

/** Passes on the messages, and the end of the connection. */
function readFrom(socket: WebSocket, duplex: Duplex): void {
  socket.on('message', (data) => {
    // Byte streams accept neither text nor an ArrayBuffer (`binaryType`).
    const chunk = duplex.readableObjectMode || Buffer.isBuffer(data) ? data : Buffer.from(data as string)
    if (!duplex.push(chunk)) socket.pause()
  })
  socket.onceClosed((code, _reason, { cause }) => {
    if (cause === undefined && code !== CloseCode.abnormal) {
      duplex.push(null)
      return
    }
    const error = cause ?? endedError()
    duplex.destroy(isHeard(duplex) ? error : undefined)
  })
  if (socket.readyState === socket.CLOSED) duplex.push(null)
}

/** Prevents a peer from ending the process by an `'error'` without a listener. */
function isHeard(duplex: Duplex): boolean {
  return duplex.listenerCount('error') > 0
}

/**
 * Calls an action once a socket is open: at once, unless it is connecting.
 *
 * @param onFailed - called instead if it closes before
 */
export function whenOpen(socket: WebSocket, action: () => void, onFailed?: (cause: Error) => void): void {
  if (socket.readyState !== socket.CONNECTING) {
    action()
    return
  }
  const stopWatching =
    onFailed &&
    socket.onceClosed((_code, _reason, { cause }) => {
      onFailed(cause ?? endedError())
    })
  socket.once('open', () => {
    stopWatching?.()
    action()
  })
}

function whenClosed(socket: WebSocket, action: () => void): void {
  if (socket.readyState === socket.CLOSED) action()
  else {
    socket.onceClosed(() => {
      action()
    })
  }
}
