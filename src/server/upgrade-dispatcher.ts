import type { IncomingMessage, Server } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { listHas } from '../protocol/header-grammar.js'
import { type Refusal, refusalFor, tellRefused, writeRefusal } from './admission/refusal.js'

/** A server that takes the upgrades that it owns. */
export interface UpgradeOwner {
  /** Milliseconds that a handshake may take. */
  readonly handshakeTimeout: number
  shouldHandle(request: IncomingMessage): boolean
  /** Answers an upgrade for which `shouldHandle` threw. */
  refuseFailed(failure: unknown, request: IncomingMessage, socket: Duplex): void
  /** Takes over; the socket's errors have a listener. */
  onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
}

const dispatchers = new WeakMap<Server, UpgradeDispatcher>()

/**
 * What all our servers on an `http.Server` share: each upgrade goes to the first that owns it, and to nobody else, since
 * other libraries' servers answer 400 to what is not theirs. What is not to websocket, and what nobody of ours owns, is
 * left to the listeners of others where there are any.
 */
export class UpgradeDispatcher {
  readonly #server: Server
  readonly #owners = new Set<UpgradeOwner>()
  /** The server's own `emit`, while ours stands in front of it: no listener can keep an event from the others. */
  #emitBefore: Server['emit'] | undefined

  private constructor(server: Server) {
    this.#server = server
  }

  static of(server: Server): UpgradeDispatcher {
    let dispatcher = dispatchers.get(server)
    if (dispatcher === undefined) {
      dispatcher = new UpgradeDispatcher(server)
      dispatchers.set(server, dispatcher)
    }
    return dispatcher
  }

  add(owner: UpgradeOwner): void {
    if (this.#owners.size === 0) this.#server.on('upgrade', this.#onUpgrade)
    if (this.#emitBefore === undefined) {
      this.#emitBefore = Reflect.get<Server, 'emit'>(this.#server, 'emit')
      this.#server.emit = this.#emit as Server['emit']
    }
    this.#owners.add(owner)
  }

  delete(owner: UpgradeOwner): void {
    if (!this.#owners.delete(owner) || this.#owners.size > 0) return
    this.#server.off('upgrade', this.#onUpgrade)
    // One that somebody has put in front of ours stays, and ours behind it, which passes everything on.
    if (this.#server.emit !== this.#emit) return
    this.#server.emit = this.#emitBefore!
    this.#emitBefore = undefined
  }

  readonly #emit = (event: string, ...values: unknown[]): boolean => {
    if (event === 'upgrade' && this.#give(...(values as Upgrade))) return true
    return Reflect.apply(this.#emitBefore!, this.#server, [event, ...values]) as boolean
  }

  /** Gives an upgrade to its owner, if it has one. */
  #give(...[request, socket, head]: Upgrade): boolean {
    if (!isToWebSocket(request)) return false
    for (const owner of this.#owners) {
      try {
        if (!owner.shouldHandle(request)) continue
      } catch (error) {
        socket.on('error', ignore)
        owner.refuseFailed(error, request, socket)
        return true
      }
      owner.onUpgrade(request, socket, head)
      return true
    }
    return false
  }

  /** An upgrade that has no owner. */
  readonly #onUpgrade = (...[request, socket, head]: Upgrade): void => {
    const isOurs = isToWebSocket(request)
    if (this.#server.listenerCount('upgrade') > 1) {
      if (isOurs) this.#refuseUnlessTaken(request, socket)
      return
    }
    socket.on('error', ignore)
    const [owner] = this.#owners
    if (!isOurs) {
      answer(
        request,
        socket,
        refusalFor('handshake', 400, { body: 'The only protocol to upgrade to is websocket\n' }),
      )
    } else if (this.#owners.size === 1 && owner !== undefined) {
      // Who is alone here refuses it as it refuses others, and counts it.
      owner.onUpgrade(request, socket, head)
    } else {
      answer(request, socket, nobodys())
    }
  }

  /** The listeners of others may all leave it to each other: in the end it is answered, and its socket is not held. */
  #refuseUnlessTaken(request: IncomingMessage, socket: Duplex): void {
    const written = writtenTo(socket)
    const timeout = Math.max(...[...this.#owners].map(({ handshakeTimeout }) => handshakeTimeout))
    const refuse = (): void => {
      if (socket.destroyed || writtenTo(socket) !== written) return
      socket.on('error', ignore)
      answer(request, socket, nobodys())
    }
    setTimeout(refuse, timeout).unref()
  }
}

type Upgrade = [request: IncomingMessage, socket: Duplex, head: Buffer]

function isToWebSocket(request: IncomingMessage): boolean {
  return listHas(request.headers.upgrade, 'websocket')
}

function writtenTo(socket: Duplex): number {
  return socket instanceof Socket ? socket.bytesWritten : 0
}

function nobodys(): Refusal {
  return refusalFor('path', 404, { body: 'Nothing here upgrades to websocket\n' })
}

function answer(request: IncomingMessage, socket: Duplex, refusal: Refusal): void {
  tellRefused(request, refusal)
  writeRefusal(socket, refusal)
}

function ignore(): void {
  // The peer has gone, and with it the answer's reader; the socket closes by itself.
}
