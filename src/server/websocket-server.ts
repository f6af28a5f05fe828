import { EventEmitter } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionSettings } from '../connection/settings.js'
import { channels } from '../connection/diagnostics.js'
import { warnOfFailure } from '../connection/failures.js'
import { TypedEmitter } from '../events/typed-emitter.js'
import { presetOf } from '../connection/preset.js'
import { connectionSettings, DEFAULT_HANDSHAKE_TIMEOUT, deflateOptions } from '../connection/settings.js'
import { checkOptions, withoutNulls } from '../options/checks.js'
import { throwLater, toError } from '../options/thrown.js'
import type { WebSocketOptions } from '../websocket/attempt.js'
import { NO_PARAMS, type Params } from '../websocket/accepted-client.js'
import { WebSocket } from '../websocket/websocket.js'
import { Admission } from './admission/admission.js'
import type { SocketUser } from './admission/authentication.js'
import { publishRefused, type Refusal } from './admission/refusal.js'
import { Clients } from './clients.js'
import { callHandler } from './connection-handler.js'
import { createOwnServer, startOwnServer } from './listening.js'
import { type ParamsOf, PathMatcher, toParams } from './path.js'
import {
  checkPlace,
  checkServerOptions,
  checkSocketClass,
  type WebSocketServerEvents,
  type WebSocketServerOptions,
} from './server-options.js'
import {
  closeAll,
  expireAll,
  shutdownOptions,
  type ShutdownOptions,
  type ShutdownResult,
} from './shutdown.js'
import { type ServerStats, Statistics } from './statistics.js'
import { unixPathOf } from './unix-socket.js'
import { Upgrade, type UpgradeCallback, type UpgradeServer } from './upgrade.js'
import { UpgradeDispatcher, type UpgradeOwner } from './upgrade-dispatcher.js'

/** The HTTP server that a server listens to, if any. @internal */
export let httpServerOf: (server: WebSocketServer) => Server | undefined

/** Whether an upgrade is for a server, or the failure of the application's function. */
type Claim = { readonly params: Params | undefined } | { readonly failure: unknown }

/** Marks a request with the claim of the server that was asked last. */
const CLAIMED = Symbol('hubwire.claimed')
type Claimed = IncomingMessage & { [CLAIMED]?: { readonly by: unknown; readonly claim: Claim } }

/** The type of {@link WebSocketServer.clients}, which `clientTracking` decides. */
type ClientsOf<User, Tracking, Pattern extends string> = Tracking extends false
  ? undefined
  : Set<WebSocket<User, ParamsOf<Pattern>>>

/**
 * Accepts WebSocket connections on its own port, on a shared `http.Server`, or from upgrades that
 * the application passes on.
 *
 * If a check, a listener or a handler of the application fails, `'error'` is emitted with the error, and with the socket
 * if there is one. Without a listener for it, the failure causes a process warning.
 *
 * @typeParam User - the type of `socket.user`: what `authenticate` returns
 * @typeParam Tracking - `false` with `clientTracking: false`; `WebSocketServer<unknown, boolean>` is any server
 * @typeParam Pattern - the literal of `path`, from which `socket.params` gets its type
 */
export class WebSocketServer<
  User = undefined,
  Tracking extends boolean = true,
  Pattern extends string = string,
> extends TypedEmitter<WebSocketServerEvents<User, Pattern>> {
  /** The sockets that are not closed yet; `undefined` with `clientTracking: false`. */
  readonly clients: ClientsOf<User, Tracking, Pattern>
  /** The options as they were given, without those that are `null`. */
  readonly options: Readonly<WebSocketServerOptions<User, boolean, Pattern>>

  readonly #settings: ConnectionSettings
  readonly #statistics: Statistics
  readonly #admission: Admission<User>
  readonly #path: PathMatcher
  readonly #connections = new Clients<User>()
  readonly #upgrades: UpgradeServer<User>
  readonly #owner: UpgradeOwner
  readonly #server: Server | undefined
  #isUnixSocket = false
  #isAccepting = true
  #isShuttingDown = false
  #isServerClosed = false
  #isClosed = false
  /** Separate from the listeners of `'close'`, which can be removed and may throw. */
  readonly #closeCallbacks: (() => void)[] = []

  /**
   * @param callback - called when the server listens on its own port
   * @throws TypeError if the options contradict each other
   * @throws RangeError if a number is out of range
   */
  constructor(options: WebSocketServerOptions<User, Tracking, Pattern>, callback?: () => void) {
    const preset = presetOf(options)
    super({ captureRejections: preset.handlerFailure === 'close' })
    if (preset.checksOptions) checkOptions('new WebSocketServer()', options, '{ port: 8000 }')
    // Without options, the check throws an error that says what to write.
    const given = withoutNulls(options ?? ({} as WebSocketServerOptions<User, Tracking, Pattern>))
    if (preset.checksOptions) checkServerOptions(given)
    else checkPlace(given)
    checkSocketClass(given.WebSocket)
    this.options = given
    this.#settings = {
      ...connectionSettings(given, 'client'),
      server: this,
      onHandlerFailed: (error, socket) => {
        this.#onHandlerFailed(error, socket as WebSocket<User>)
      },
      onClosed: (socket, details) => {
        this.#connections.closed(socket as WebSocket<User>, details)
      },
    }
    this.#statistics = new Statistics(this.#settings.traffic)
    this.#admission = new Admission(given, () => this.#listensOnUnixSocket())
    this.#path = new PathMatcher(given.path)
    this.#connections.onClosed((socket, details) => {
      this.#statistics.closed(socket, details)
      this.#closeWhenEmpty()
    })
    const clients = given.clientTracking === false ? undefined : this.#connections.sockets
    this.clients = clients as ClientsOf<User, Tracking, Pattern>
    this.#upgrades = this.#upgradeServer()
    this.#owner = this.#upgradeOwner()
    this.#server = given.server ?? (given.noServer === true ? undefined : this.#listen(given, callback))
    if (this.#server !== undefined) UpgradeDispatcher.of(this.#server).add(this.#owner)
  }

  /** The address on which the server listens. @throws Error with `noServer` */
  address(): AddressInfo | string | null {
    if (this.#server === undefined)
      throw new Error('With noServer there is no address: call address() on the HTTP server')
    return unixPathOf(this.#server) ?? this.#server.address()
  }

  /** Statistics since the start, for monitoring. The sums over all connections are computed on each call. */
  stats(): ServerStats {
    return this.#statistics.snapshot(this.#connections.sockets)
  }

  /**
   * Whether an upgrade is for this server; by default whether it matches `path`. A subclass can override it. It is called
   * once for each upgrade.
   */
  shouldHandle(request: IncomingMessage): boolean {
    return this.#path.match(request) !== undefined
  }

  /**
   * Handles an upgrade: calls back with the open socket, or refuses with a complete HTTP response. If the callback
   * throws or rejects, the socket closes with 1011.
   *
   * @param request - from the `'upgrade'` event of an `http.Server`, as are the next two
   * @param head - the bytes that arrived after the header of the request
   * @throws Error if it was called with this socket before
   */
  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    callback: (socket: WebSocket<SocketUser<User>, ParamsOf<Pattern>>, request: IncomingMessage) => unknown,
  ): void {
    new Upgrade(this.#upgrades, request, socket, head, callback as UpgradeCallback<User>).start()
  }

  /**
   * Emits an event. The listeners of `'connection'` are handlers of their connection: messages wait for those that are
   * asynchronous, and the first one that throws or rejects closes it with 1011.
   */
  override emit<Name extends keyof WebSocketServerEvents<User, Pattern>>(
    name: Name,
    ...values: WebSocketServerEvents<User, Pattern>[Name]
  ): boolean {
    const [socket] = values as unknown[]
    if (name !== 'connection' || !(socket instanceof WebSocket)) return super.emit(name, ...values)
    if (this.#settings.preset.handlerFailure === 'throw') return super.emit(name, ...values)
    const listeners = this.rawListeners('connection') as ((...values: unknown[]) => unknown)[]
    listeners.every((listener) =>
      callHandler(socket as WebSocket, () => Reflect.apply(listener, this, values)),
    )
    return listeners.length > 0
  }

  /**
   * Stops accepting connections and closes the HTTP server if it is its own. Open connections stay open.
   *
   * @param callback - called when everything is closed, with an error if it was before
   */
  close(callback?: ((error?: Error) => void) | null): void {
    if (this.#isClosed) {
      if (callback) process.nextTick(callback, new Error('The server is already closed'))
      return
    }
    if (callback) this.#closeCallbacks.push(callback)
    if (!this.#isAccepting) return
    this.#isAccepting = false
    // During a shutdown it stays, to respond with 503.
    if (!this.#isShuttingDown) this.#leaveServer()
    if (this.#ownsServer) this.#server?.close(this.#onServerClose)
    else process.nextTick(this.#onServerClose)
  }

  /**
   * Shuts down gracefully: stops accepting connections, closes those that are open, and terminates those that do not
   * complete the closing handshake in time.
   *
   * @returns how many closed and how many were terminated, once all of them have and their `send` callbacks have run
   * @throws TypeError if the code must not be sent
   * @throws RangeError if the reason is too long, or a time is out of range
   */
  async shutdown(options?: ShutdownOptions | null): Promise<ShutdownResult> {
    const complete = shutdownOptions(options ?? {})
    const result = closeAll(this.#connections, complete)
    this.#isShuttingDown = true
    const closed = new Promise<void>((resolve) => {
      this.close(() => {
        resolve()
      })
    })
    const terminate = (): void => {
      expireAll(this.#connections)
      this.#admission.abandon()
      if (this.#ownsServer) this.#server?.closeAllConnections()
    }
    const timer = complete.timeout === Infinity ? undefined : setTimeout(terminate, complete.timeout)
    await closed
    clearTimeout(timer)
    this.#leaveServer()
    // The callbacks of the last writes run after the sockets have closed.
    await new Promise((resolve) => setImmediate(resolve))
    return result
  }

  #upgradeServer(): UpgradeServer<User> {
    const { handleProtocols, perMessageDeflate, WebSocket: SocketClass = WebSocket<User> } = this.options
    return {
      admission: this.#admission,
      settings: this.#settings,
      deflate: deflateOptions(perMessageDeflate),
      handleProtocols,
      isAccepting: () => this.#isAccepting,
      match: (request) => this.#match(request),
      createSocket: () => new SocketClass(null, undefined, this.options as WebSocketOptions),
      onHeaders: (lines, request) => {
        this.emit('headers', lines, request)
      },
      onMalformed: (error, socket, request) => this.emit('wsClientError', error, socket, request),
      onAccepted: (socket, request) => {
        this.#connections.add(socket)
        this.#statistics.accepted()
        if (channels.connection.hasSubscribers) channels.connection.publish({ socket, server: this, request })
      },
      onRefused: (refusal: Refusal, request) => {
        this.#statistics.refused(refusal.reason)
        publishRefused(request, refusal, this)
      },
      onFailure: (failure) => {
        this.#report(toError(failure))
      },
    }
  }

  #upgradeOwner(): UpgradeOwner {
    return {
      closeTimeout: this.#settings.closeTimeout,
      refusesOtherProtocols: this.#settings.preset.accepting.refusesOtherProtocols,
      owns: (request) => {
        const claim = this.#claim(request)
        // The handshake uses the same claim, and reports a failure to the client. A WeakMap would cost more.
        ;(request as Claimed)[CLAIMED] = { by: this, claim }
        return 'failure' in claim || claim.params !== undefined
      },
      take: (request, socket, head) => {
        this.handleUpgrade(request, socket, head, (webSocket) => {
          this.emit('connection', webSocket, request)
        })
      },
      onListening: () => {
        this.emit('listening')
      },
      onError: (error) => this.#emitError(error),
    }
  }

  #claim(request: IncomingMessage): Claim {
    try {
      if (!this.#isYes(this.shouldHandle(request))) return { params: undefined }
      // An override may handle an upgrade that the path does not match.
      return { params: this.#path.match(request) ?? NO_PARAMS }
    } catch (failure) {
      return { failure }
    }
  }

  #isYes(answer: unknown): boolean {
    const { takesTruthyAnswers } = this.#settings.preset.accepting
    return takesTruthyAnswers ? Boolean(answer) : toParams('shouldHandle', answer) !== undefined
  }

  #match(request: IncomingMessage): Params | undefined {
    const claimed = (request as Claimed)[CLAIMED]
    const claim = claimed?.by === this ? claimed.claim : this.#claim(request)
    if ('failure' in claim) throw claim.failure
    return claim.params
  }

  #listensOnUnixSocket(): boolean {
    // A server that has stopped listening has no address, but still has connections.
    const address = this.#server?.address() ?? null
    if (address !== null) this.#isUnixSocket = typeof address === 'string'
    return this.#isUnixSocket
  }

  #onHandlerFailed(error: Error, socket: WebSocket<User>): void {
    this.#statistics.handlerFailed()
    this.#report(error, socket)
  }

  /** Reports a failure of the application's code. It is never lost, and never thrown to the caller. */
  #report(error: Error, socket?: WebSocket<User>): void {
    if (this.#settings.preset.handlerFailure === 'throw') throwLater(error)
    else if (!this.#emitError(error, socket)) warnOfFailure(error)
  }

  /** Emits `'error'` if it has a listener. */
  #emitError(error: Error, socket?: WebSocket<User>): boolean {
    if (this.listenerCount('error') === 0) return false
    try {
      if (socket === undefined) this.emit('error', error)
      else this.emit('error', error, socket as WebSocket<SocketUser<User>, ParamsOf<Pattern>>)
    } catch (failure) {
      warnOfFailure(failure)
    }
    return true
  }

  #listen(options: WebSocketServerOptions<User, boolean>, callback: (() => void) | undefined): Server {
    const timeout = options.handshakeTimeout ?? DEFAULT_HANDSHAKE_TIMEOUT
    const server = createOwnServer(timeout, this.#settings.preset.accepting)
    if (callback) this.once('listening', callback)
    startOwnServer(server, options, () => this.#isServerClosed || this.listenerCount('error') > 0)
    return server
  }

  #leaveServer(): void {
    if (this.#server !== undefined) UpgradeDispatcher.of(this.#server).delete(this.#owner)
  }

  get #ownsServer(): boolean {
    return this.#server !== undefined && this.options.server === undefined
  }

  readonly #onServerClose = (): void => {
    this.#isServerClosed = true
    this.#closeWhenEmpty()
  }

  #closeWhenEmpty(): void {
    if (!this.#isServerClosed || this.#isClosed) return
    const isAwaited = this.clients !== undefined || this.#settings.preset.accepting.awaitsUntracked
    if (isAwaited && this.#connections.open > 0) return
    this.#isClosed = true
    for (const tell of [() => this.emit('close'), ...this.#closeCallbacks]) {
      try {
        tell()
      } catch (failure) {
        this.#report(toError(failure))
      }
    }
  }

  static {
    httpServerOf = (server) => server.#server
    // Node.js calls this when an async listener rejects. Those of 'connection' are handled in `emit`.
    Object.defineProperty(WebSocketServer.prototype, EventEmitter.captureRejectionSymbol, {
      value(this: WebSocketServer, failure: unknown, event: string): void {
        this.#statistics.handlerFailed()
        // Emitting 'error' again would call the failing listener in an endless loop.
        if (event === 'error') warnOfFailure(failure)
        else this.#report(toError(failure))
      },
    })
  }
}
