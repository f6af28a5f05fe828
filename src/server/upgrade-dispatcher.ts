import { type EventEmitter, errorMonitor } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { ignore } from '../options/ignore.js'
import { pathNotFound, publishRefused } from './admission/refusal.js'
import { giveBack } from './give-back.js'
import { isToWebSocket, writeRefusal } from './http1-upgrade.js'

/** A WebSocketServer on an `http.Server`. */
export interface UpgradeOwner {
  /** Milliseconds within which the peer must read a refusal. */
  readonly closeTimeout: number
  /** Whether it refuses upgrades to other protocols that have no other listener. */
  readonly refusesOtherProtocols: boolean
  /** Whether the upgrade is for this server. Must not throw. */
  owns(request: IncomingMessage): boolean
  /** Accepts or refuses the upgrade. */
  take(request: IncomingMessage, socket: Duplex, head: Buffer): void
  onListening(): void
  /** Returns whether the error was handled. */
  onError(error: Error): boolean
}

const dispatchers = new WeakMap<Server, UpgradeDispatcher>()

/**
 * Shared by all our servers on one `http.Server`: each upgrade goes to the first server that owns it. Upgrades that
 * none owns, and upgrades to other protocols, are left to other `'upgrade'` listeners, if there are any.
 *
 * An upgrade that is ours must not reach other listeners: a `ws` server with a `path`, for example, writes a 400
 * into the socket of every upgrade to another path. A listener cannot hide an event from the others, so
 * `server.emit` is replaced while one of our servers uses it. Other listeners see every upgrade that is not ours.
 */
export class UpgradeDispatcher {
  readonly #server: Server
  readonly #owners = new Set<UpgradeOwner>()
  /** What `server.emit` was when ours replaced it. */
  #emitBefore: Server['emit'] | undefined
  /** Whether that was an own property of the server, set by other code. */
  #wasReplaced = false
  #hasOtherErrorListener = false

  /** The server, for an event that its own types do not have. */
  get #emitter(): EventEmitter {
    return this.#server
  }

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
    if (this.#owners.size === 0) {
      this.#server.on('upgrade', this.#onUpgrade)
      this.#server.on('listening', this.#onListening)
      this.#emitter.on(errorMonitor, this.#beforeError)
      this.#server.on('error', this.#onError)
    }
    if (this.#emitBefore === undefined) {
      this.#wasReplaced = Object.hasOwn(this.#server, 'emit')
      this.#emitBefore = Reflect.get<Server, 'emit'>(this.#server, 'emit')
      this.#server.emit = this.#emit as Server['emit']
    }
    this.#owners.add(owner)
  }

  delete(owner: UpgradeOwner): void {
    if (!this.#owners.delete(owner) || this.#owners.size > 0) return
    this.#server.off('upgrade', this.#onUpgrade)
    this.#server.off('listening', this.#onListening)
    this.#emitter.off(errorMonitor, this.#beforeError)
    this.#server.off('error', this.#onError)
    // If another library has wrapped our `emit` since, it stays in place and passes everything on.
    if (this.#server.emit !== this.#emit) return
    if (this.#wasReplaced) this.#server.emit = this.#emitBefore!
    else Reflect.deleteProperty(this.#server, 'emit')
    this.#emitBefore = undefined
  }

  readonly #emit = (event: string, ...values: unknown[]): boolean => {
    if (event === 'upgrade' && this.#give(...(values as UpgradeEvent))) return true
    return Reflect.apply(this.#emitBefore!, this.#server, [event, ...values]) as boolean
  }

  /** Gives an upgrade to its owner, if it has one. */
  #give(...[request, socket, head]: UpgradeEvent): boolean {
    if (!isToWebSocket(request)) return false
    for (const owner of this.#owners) {
      if (!owner.owns(request)) continue
      owner.take(request, socket, head)
      return true
    }
    return false
  }

  /** Called for an upgrade that has no owner, unless other code has restored the server's own `emit`. */
  readonly #onUpgrade = (...[request, socket, head]: UpgradeEvent): void => {
    if (this.#server.emit !== this.#emit && this.#give(request, socket, head)) return
    // Another listener may respond at any time, and a socket does not show whether one will.
    if (this.#server.listenerCount('upgrade') > 1) return
    const [owner] = this.#owners
    const isRefused = owner?.refusesOtherProtocols === true
    if (!isToWebSocket(request) && !isRefused) giveBack(this.#server, request, socket, head)
    else if (this.#owners.size === 1) owner?.take(request, socket, head)
    else this.#refuse(request, socket)
  }

  #refuse(request: IncomingMessage, socket: Duplex): void {
    const refusal = pathNotFound()
    socket.on('error', ignore)
    publishRefused(request, refusal)
    writeRefusal(socket, refusal, Math.max(...[...this.#owners].map(({ closeTimeout }) => closeTimeout)))
  }

  readonly #onListening = (): void => {
    for (const owner of this.#owners) owner.onListening()
  }

  /** Counts before any listener is called, since a listener added by `once` is gone when it is. */
  readonly #beforeError = (): void => {
    this.#hasOtherErrorListener = this.#server.listenerCount('error') > 1
  }

  readonly #onError = (error: Error): void => {
    let isHandled = this.#hasOtherErrorListener
    for (const owner of this.#owners) if (owner.onError(error)) isHandled = true
    // Without a listener of the application the error ends the process, as it does without this library.
    if (!isHandled) throw error
  }
}

type UpgradeEvent = [request: IncomingMessage, socket: Duplex, head: Buffer]
