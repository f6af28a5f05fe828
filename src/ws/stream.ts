import { Duplex, type DuplexOptions } from 'node:stream'
import { whenOpen } from '../websocket/stream.js'
import type { WebSocket } from './websocket.js'

/**
 * A Node stream over a socket, as that of `ws`: each chunk written is a message, each message arrives as a chunk. An error
 * of the socket destroys the stream.
 *
 * @param options - of the `Duplex`; with `readableObjectMode` text arrives as strings
 */
export function createWebSocketStream(socket: WebSocket, options: DuplexOptions = {}): Duplex {
  /** Whether destroying the stream ends the connection. A socket that failed sends its Close frame by itself. */
  let mayTerminate = true
  const duplex: Duplex = new Duplex({
    ...options,
    // As in `ws`, whatever the options say: a stream that failed must not keep its connection.
    autoDestroy: true,
    emitClose: true,
    objectMode: false,
    writableObjectMode: false,
    read() {
      if (socket.isPaused) socket.resume()
    },
    write(chunk: Buffer, _encoding, callback) {
      whenOpen(socket, () => {
        socket.send(chunk, callback)
      })
    },
    final(callback) {
      whenOpen(socket, () => {
        finishWriting(socket, callback)
      })
    },
    destroy(error, callback) {
      afterClose(socket, error, callback)
      if (mayTerminate && socket.readyState !== socket.CLOSED) socket.terminate()
    },
  })
  socket.on('message', (data, isBinary) => {
    const chunk = !isBinary && duplex.readableObjectMode ? (data as unknown as Buffer).toString() : data
    if (!duplex.push(chunk)) socket.pause()
  })
  socket.once('error', (error) => {
    if (duplex.destroyed) return
    mayTerminate = false
    duplex.destroy(error)
  })
  socket.once('close', () => {
    if (!duplex.destroyed) duplex.push(null)
  })
  // At once, not a tick later: programs read it in their own listener.
  duplex.on('end', () => {
    if (duplex.writableFinished) duplex.destroy()
  })
  return duplex
}

/** Closes the socket, and waits until the operating system has taken everything. */
function finishWriting(socket: WebSocket, callback: () => void): void {
  const transport = socket._socket
  // A failed attempt has none: its `'error'` destroys the stream.
  if (transport === null) return
  if (transport.writableFinished) {
    callback()
    return
  }
  transport.once('finish', callback)
  socket.close()
}

function afterClose(socket: WebSocket, cause: Error | null, callback: (error: Error | null) => void): void {
  if (socket.readyState === socket.CLOSED) {
    callback(cause)
    return
  }
  let error = cause
  socket.once('error', (failure) => {
    error = failure
  })
  socket.once('close', () => {
    callback(error)
  })
}
