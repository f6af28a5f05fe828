import type { AsyncResource } from 'node:async_hooks'
import type { Duplex } from 'node:stream'
import { inTurn } from '../sending/turn.js'

/** Receives the events of a socket, in its own async context. */
export interface SocketListener extends AsyncResource {
  read(chunk: Buffer): void
  drain(): void
  /** The peer sent FIN. */
  ended(): void
  failed(error: Error): void
  /** The socket is closed. */
  gone(): void
}

const listener = Symbol('listener')

type Carrier = Duplex & { [listener]?: SocketListener }

/**
 * Listens to a socket, with the same few functions for all sockets: separate closures would take memory for every idle
 * connection. Node.js calls them in the async context of the socket, which is the server's.
 */
export function listenTo(socket: Duplex, to: SocketListener): void {
  const carrier: Carrier = socket
  carrier[listener] = to
  carrier.on('data', onData)
  carrier.on('end', onEnd)
  carrier.on('drain', onDrain)
  carrier.on('error', onError)
  carrier.on('close', onClose)
  // Whoever had the socket before may have paused it, during a check for example.
  if (carrier.isPaused()) carrier.resume()
  // A FIN that was read during the opening handshake.
  if (carrier.readableEnded) process.nextTick(tellEnded, to)
}

function tellEnded(to: SocketListener): void {
  to.runInAsyncScope(inTurn<SocketListener, undefined>, undefined, to, undefined, ended)
}

function onData(this: Carrier, chunk: Buffer): void {
  const to = this[listener]!
  to.runInAsyncScope(inTurn<SocketListener, Buffer>, undefined, to, chunk, readBytes)
}

function readBytes(to: SocketListener, chunk: Buffer): void {
  to.read(chunk)
}

function onEnd(this: Carrier): void {
  tellEnded(this[listener]!)
}

function ended(to: SocketListener): void {
  to.ended()
}

function onDrain(this: Carrier): void {
  this[listener]!.runInAsyncScope(drain, undefined, this[listener]!)
}

function drain(to: SocketListener): void {
  to.drain()
}

function onError(this: Carrier, error: Error): void {
  this[listener]!.runInAsyncScope(failed, undefined, this[listener]!, error)
}

function failed(to: SocketListener, error: Error): void {
  to.failed(error)
}

function onClose(this: Carrier): void {
  this[listener]!.runInAsyncScope(gone, undefined, this[listener]!)
}

function gone(to: SocketListener): void {
  to.gone()
}
