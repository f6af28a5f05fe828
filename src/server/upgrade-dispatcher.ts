import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { listHas } from '../protocol/header-grammar.js'
import { refusalFor, tellRefused, writeRefusal } from './refusal.js'

/** A server that takes the upgrades that it owns. */
export interface UpgradeOwner {
  shouldHandle(request: IncomingMessage): boolean
  /** Answers an upgrade for which `shouldHandle` threw. */
  refuseFailed(failure: unknown, request: IncomingMessage, socket: Duplex): void
  /** Takes over; the socket's errors have a listener. */
  onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
}

const dispatchers = new WeakMap<Server, UpgradeDispatcher>()

/**
 * The one listener for `'upgrade'` that all our servers on an `http.Server` share: each request goes to the first that
 * owns it. What is not to websocket, and what nobody of ours owns, is left to the listeners of others where there are
 * any.
 */
export class UpgradeDispatcher {
  readonly #server: Server
  readonly #owners = new Set<UpgradeOwner>()

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
    if (this.#owners.size === 0) this.#server.on('upgrade', this.#dispatch)
    this.#owners.add(owner)
  }

  delete(owner: UpgradeOwner): void {
    this.#owners.delete(owner)
    if (this.#owners.size === 0) this.#server.off('upgrade', this.#dispatch)
  }

  readonly #dispatch = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const isOurs = listHas(request.headers.upgrade, 'websocket')
    if (isOurs) {
      for (const owner of this.#owners) {
        try {
          if (!owner.shouldHandle(request)) continue
        } catch (error) {
          socket.on('error', ignore)
          owner.refuseFailed(error, request, socket)
          return
        }
        owner.onUpgrade(request, socket, head)
        return
      }
    }
    if (this.#server.listenerCount('upgrade') > 1) return
    socket.on('error', ignore)
    const [owner] = this.#owners
    if (isOurs && this.#owners.size === 1 && owner !== undefined) {
      // Who is alone here refuses it as it refuses others, and counts it.
      owner.onUpgrade(request, socket, head)
      return
    }
    const refusal = isOurs
      ? refusalFor('path', 404, { body: 'Nothing here upgrades to websocket\n' })
      : refusalFor('handshake', 400, { body: 'The only protocol to upgrade to is websocket\n' })
    tellRefused(request, refusal)
    writeRefusal(socket, refusal)
  }
}

function ignore(): void {
  // The peer has gone, and with it the answer's reader; the socket closes by itself.
}
