import type { AsyncResource } from 'node:async_hooks'
import type { Duplex } from 'node:stream'
import { inTurn } from '../sending/turn.js'

/** What is told of the events of a socket, in the async context that it is. */
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
 * Listens to a socket, with the same few functions for all sockets: closures of its own would take memory for every idle
 * connection. Node calls them in the async context of the socket, which is that of the server.
 */
export function listenTo(socket: Duplex, to: SocketListener): void {
  const carrier: Carrier = socket
  carrier[listener] = to
  carrier.on('data', onData)
  carrier.on('end', onEnd)
  carrier.on('drain', onDrain)
  carrier.on('error', onError)
  carrier.on('close', onClose)
}

function onData(this: Carrier, chunk: Buffer): void {
  const to = this[listener]!
  to.runInAsyncScope(inTurn<SocketListener, Buffer>, undefined, to, chunk, read)
}

function read(to: SocketListener, chunk: Buffer): void {
  to.read(chunk)
}

function onEnd(this: Carrier): void {
  const to = this[listener]!
  to.runInAsyncScope(to.ended, to)
}

function onDrain(this: Carrier): void {
  const to = this[listener]!
  to.runInAsyncScope(to.drain, to)
}

function onError(this: Carrier, error: Error): void {
  const to = this[listener]!
  to.runInAsyncScope(to.failed, to, error)
}

function onClose(this: Carrier): void {
  const to = this[listener]!
  to.runInAsyncScope(to.gone, to)
}
