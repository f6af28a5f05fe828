import type { Duplex } from 'node:stream'
import { inTurn } from '../sending/turn.js'

/** Who hears what happens on a socket. */
export interface SocketListener {
  read(chunk: Buffer): void
  drain(): void
  /** The peer sent FIN. */
  peerEnded(): void
  failed(error: Error): void
  /** The socket is closed. */
  gone(): void
}

const listener = Symbol('listener')

type Carrier = Duplex & { [listener]?: SocketListener }

/** Listens to a socket with the same few functions for all, since a closure for each would be there for every idle connection. */
export function listenTo(socket: Duplex, to: SocketListener): void {
  const carrier: Carrier = socket
  carrier[listener] = to
  carrier.on('data', onData)
  carrier.on('end', onEnd)
  carrier.on('drain', onDrain)
  carrier.on('error', onError)
  carrier.on('close', onClose)
}

/** Has `drain()` called where the socket emits no `'drain'`: below its high-water mark, or when it took everything at once. */
export function drainWhenTaken(listener: Pick<SocketListener, 'drain'>, socket: Duplex): void {
  if (socket.writableNeedDrain || socket.destroyed) return
  if (socket.writableLength === 0) listener.drain()
  else {
    socket.write(NOTHING, (error) => {
      if (!error) listener.drain()
    })
  }
}

const NOTHING = Buffer.alloc(0)

function onData(this: Carrier, chunk: Buffer): void {
  inTurn(this[listener]!, chunk, read)
}

function read(to: SocketListener, chunk: Buffer): void {
  to.read(chunk)
}

function onEnd(this: Carrier): void {
  this[listener]!.peerEnded()
}

function onDrain(this: Carrier): void {
  this[listener]!.drain()
}

function onError(this: Carrier, error: Error): void {
  this[listener]!.failed(error)
}

function onClose(this: Carrier): void {
  this[listener]!.gone()
}
