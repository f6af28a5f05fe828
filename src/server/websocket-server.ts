import { EventEmitter } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { channels } from '../connection/diagnostics.js'
import type { CloseDetails } from '../connection/connection-events.js'
import {
  type Compression,
  compressionFor,
  type ConnectionSettings,
  connectionSettings,
  deflateOptions,
} from '../connection/settings.js'
import { toError } from '../connection/failures.js'
import {
  acceptanceLines,
  HandshakeError,
  joinLines,
  type Opening,
  readRequest,
} from '../protocol/handshake.js'
import { acceptOffer, type PerMessageDeflateOptions } from '../protocol/permessage-deflate.js'
import { failHandler, startAccepted, WebSocket } from '../websocket/websocket.js'
import { Admission, type Admitted, DEFAULT_HANDSHAKE_TIMEOUT } from './admission/admission.js'
import { GONE } from './admission/authentication.js'
import { createOwnServer, listen } from './listening.js'
import { matchPath } from './path.js'
import { Refusal, refusalFor, tellRefused, writeRefusal } from './admission/refusal.js'
import { checkPlace, type WebSocketServerEvents, type WebSocketServerOptions } from './server-options.js'
import { closeAll, shutdownOptions, type ShutdownOptions, type ShutdownResult } from './shutdown.js'
import { type ServerStats, Statistics } from './statistics.js'
import { chooseSubprotocol } from './subprotocol.js'
import { UpgradeDispatcher, type UpgradeOwner } from './upgrade-dispatcher.js'

/**
 * Accepts WebSocket connections, on a port of its own, on an `http.Server` beside other things, or from upgrades
 * handed to it.
 */
export class WebSocketServer<User = undefined>
  extends EventEmitter<WebSocketServerEvents<User>>
  implements UpgradeOwner
{
  /** The sockets that are not closed yet, unless `clientTracking` is off. */
  readonly clients: Set<WebSocket<User>> | undefined
  /** The options as they were given. */
  readonly options: Readonly<WebSocketServerOptions<User>>

  readonly #settings: ConnectionSettings
  readonly #deflate: PerMessageDeflateOptions | undefined
  readonly #admission: Admission<User>
  readonly #statistics: Statistics
  readonly #sockets = new Set<WebSocket<User>>()
  readonly #server: Server | undefined
  readonly #onSocketClose: (
    this: WebSocket<User>,
    code: number,
    reason: string,
    details: CloseDetails,
  ) => void
  #isAccepting = true
  #isShuttingDown = false
  #isServerClosed = false
  #isClosed = false

  /**
   * @param callback - called when it listens on a port of its own
   * @throws TypeError when the options contradict each other
   * @throws RangeError when a number is out of its range
   */
  constructor(options: WebSocketServerOptions<User>, callback?: () => void) {
    super({ captureRejections: true })
    checkPlace(options)
    this.options = options
    // One listener for all sockets, which is called on the one that closed.
    const forget = (socket: WebSocket<User>, { wasClean, cause }: CloseDetails): void => {
      this.#sockets.delete(socket)
      this.#statistics.closed(socket, wasClean, cause)
      this.#closeWhenEmpty()
    }
    this.#onSocketClose = function (_code, _reason, details) {
      forget(this, details)
    }
    this.#settings = connectionSettings(options, 'client')
    this.#statistics = new Statistics(this.#settings.traffic)
    this.#deflate = deflateOptions(options.perMessageDeflate)
    this.#admission = new Admission(options)
    this.clients = options.clientTracking === false ? undefined : this.#sockets
    this.#server = options.server ?? (options.noServer === true ? undefined : this.#listen(options, callback))
    if (this.#server !== undefined) {
      UpgradeDispatcher.of(this.#server).add(this)
      this.#server.on('listening', this.#onListening)
      this.#server.on('error', this.#onError)
    }
  }

  /** The address on which it listens. @throws Error without a server of its own or a shared one */
  address(): AddressInfo | string | null {
    if (this.#server === undefined)
      throw new Error('With noServer there is no address: ask the HTTP server for it')
    return this.#server.address()
  }

  /** @internal */
  get handshakeTimeout(): number {
    return this.options.handshakeTimeout ?? DEFAULT_HANDSHAKE_TIMEOUT
  }

  /** What the server has done since its start, for monitoring; adds up all connections, so ask in seconds, not always. */
  stats(): ServerStats {
    return this.#statistics.snapshot(this.#sockets)
  }

  /** Whether `path` owns a request. */
  shouldHandle(request: IncomingMessage): boolean {
    return matchPath(this.options.path, request) !== undefined
  }

  /**
   * Takes an upgrade: answers the handshake, and calls back with the open socket, or refuses it with a complete HTTP
   * response.
   *
   * @param request - from the `'upgrade'` event of an `http.Server`, as are the next two
   * @param head - what came behind the request's header
   */
  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    callback: (socket: WebSocket<User>, request: IncomingMessage) => void,
  ): void {
    if (socket.destroyed) return
    // Before anything is awaited: a reset must find a listener.
    socket.on('error', ignore)
    const upgrade: Upgrade<User> = { request, socket, head, callback }
    let opening: Opening
    let params: Readonly<Record<string, string>> | undefined
    try {
      opening = readRequest(request)
      params = matchPath(this.options.path, request)
    } catch (error) {
      if (error instanceof HandshakeError) this.#refuseMalformed(error, upgrade)
      else this.refuseFailed(error, request, socket)
      return
    }
    if (params === undefined) this.#refuse(notHere(), upgrade)
    else if (!this.#isAccepting) this.#refuse(shuttingDown(), upgrade)
    else this.#admit(upgrade, opening, params)
  }

  /** @internal What the dispatcher calls, as it does `refuseFailed`. */
  onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.handleUpgrade(request, socket, head, (webSocket) => {
      this.emit('connection', webSocket, request)
    })
  }

  /**
   * Stops accepting, and ends the server of its own; the open connections stay.
   *
   * @param callback - called when all is closed, with an error if it was already
   */
  close(callback?: (error?: Error) => void): void {
    if (this.#isClosed) {
      if (callback !== undefined) process.nextTick(callback, new Error('The server is closed already'))
      return
    }
    if (callback !== undefined) this.once('close', callback)
    if (!this.#isAccepting) return
    this.#isAccepting = false
    // While it shuts down it stays, to answer 503.
    if (!this.#isShuttingDown) this.#leaveServer()
    if (this.#ownsServer) this.#server?.close(this.#onServerClose)
    else process.nextTick(this.#onServerClose)
  }

  /**
   * Ends everything in order: takes no more connections, closes those that are open, and ends those that do not complete
   * the closing handshake in time.
   *
   * @throws TypeError when the code may not be sent
   * @throws RangeError when the reason is too long, or a time no number of milliseconds
   */
  async shutdown(options: ShutdownOptions = {}): Promise<ShutdownResult> {
    const complete = shutdownOptions(options)
    const result = closeAll(this.#sockets, complete)
    this.#isShuttingDown = true
    const closed = new Promise<void>((resolve) => {
      this.close(() => {
        resolve()
      })
    })
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.terminate()
      this.#admission.abandon()
      if (this.#ownsServer) this.#server?.closeAllConnections()
    }, complete.timeout)
    await closed
    clearTimeout(timer)
    this.#leaveServer()
    return result
  }

  #admit(upgrade: Upgrade<User>, opening: Opening, params: Readonly<Record<string, string>>): void {
    const { request, socket } = upgrade
    const finish = (result: Admitted<User> | Refusal | typeof GONE): void => {
      if (result === GONE || socket.destroyed) socket.destroy()
      else if (!this.#isAccepting) this.#refuse(shuttingDown(), upgrade)
      else if (result instanceof Refusal && result.closeCode === undefined) this.#refuse(result, upgrade)
      else this.#accept(upgrade, opening, params, result)
    }
    const fail = (error: unknown): void => {
      this.refuseFailed(error, request, socket)
    }
    let result
    try {
      result = this.#admission.admit(request, socket)
    } catch (error) {
      fail(error)
      return
    }
    if (result instanceof Promise) result.then(finish, fail)
    else finish(result)
  }

  #accept(
    upgrade: Upgrade<User>,
    opening: Opening,
    params: Readonly<Record<string, string>>,
    result: Admitted<User> | Refusal,
  ): void {
    const { request, socket, head } = upgrade
    let protocol: string
    let compression: Compression | undefined
    try {
      protocol = chooseSubprotocol(opening.protocols, request, this.options.handleProtocols)
      const accepted = this.#deflate && acceptOffer(opening.extensions, this.#deflate)
      compression = accepted && compressionFor(accepted.parameters, 'server', this.#deflate ?? {})
      const lines = acceptanceLines({ key: opening.key, protocol, extensions: accepted?.answer ?? '' })
      this.emit('headers', lines, request)
      socket.write(joinLines(lines))
    } catch (error) {
      this.refuseFailed(error, request, socket)
      return
    }
    socket.off('error', ignore)
    const webSocket = new (this.options.WebSocket ?? WebSocket<User>)(null)
    const { user, forwardedAddress } = result instanceof Refusal ? NOBODY : result
    const connection = {
      socket,
      head,
      protocol,
      settings: this.#settings,
      compression,
    }
    startAccepted(webSocket, connection, { params, forwardedAddress, user: user as User })
    this.#sockets.add(webSocket)
    webSocket.on('close', this.#onSocketClose)
    this.#statistics.accepted()
    if (channels.connection.hasSubscribers) channels.connection.publish({ socket: webSocket, request })
    if (result instanceof Refusal) {
      this.#countRefused(result, request)
      webSocket.close(result.closeCode, result.closeReason)
    } else {
      upgrade.callback(webSocket, request)
    }
  }

  #refuseMalformed(error: HandshakeError, { request, socket }: Upgrade<User>): void {
    const { status, headers, message } = error
    const refusal = refusalFor('handshake', status, { headers, body: `${message}\n` })
    this.#countRefused(refusal, request)
    if (this.listenerCount('wsClientError') > 0) this.emit('wsClientError', error, socket, request)
    else writeRefusal(socket, refusal)
  }

  /** A check of the application failed: 500, and those who listen hear why. @internal */
  refuseFailed(failure: unknown, request: IncomingMessage, socket: Duplex): void {
    this.report(failure)
    const body = 'The server failed to answer the handshake\n'
    this.#refuse(refusalFor('error', 500, { body }), { request, socket })
  }

  #refuse(refusal: Refusal, { request, socket }: Pick<Upgrade<User>, 'request' | 'socket'>): void {
    if (socket.destroyed) return
    this.#countRefused(refusal, request)
    writeRefusal(socket, refusal)
  }

  #countRefused(refusal: Refusal, request: IncomingMessage): void {
    this.#statistics.refused(refusal.reason)
    tellRefused(request, refusal)
  }

  /** A failure of the application's own code: told to those who listen, and never lost. @internal */
  report(failure: unknown): void {
    const error = toError(failure)
    if (this.listenerCount('error') > 0) this.emit('error', error)
    else process.emitWarning(error)
  }

  #listen(options: WebSocketServerOptions<User>, callback: (() => void) | undefined): Server {
    const server = createOwnServer(this.handshakeTimeout)
    if (callback !== undefined) this.once('listening', callback)
    listen(server, options)
    return server
  }

  #leaveServer(): void {
    if (this.#server === undefined) return
    UpgradeDispatcher.of(this.#server).delete(this)
    this.#server.off('listening', this.#onListening)
    this.#server.off('error', this.#onError)
  }

  get #ownsServer(): boolean {
    return this.#server !== undefined && this.options.server === undefined
  }

  readonly #onListening = (): void => {
    this.emit('listening')
  }

  readonly #onError = (error: Error): void => {
    this.emit('error', error)
  }

  readonly #onServerClose = (): void => {
    this.#isServerClosed = true
    this.#closeWhenEmpty()
  }

  #closeWhenEmpty(): void {
    if (!this.#isServerClosed || this.#isClosed || this.#sockets.size > 0) return
    this.#isClosed = true
    this.emit('close')
  }
}

// What Node calls when an async listener rejects: one of 'connection' ends its connection.
Object.defineProperty(WebSocketServer.prototype, EventEmitter.captureRejectionSymbol, {
  value(this: WebSocketServer, failure: unknown, event: string, socket: unknown): void {
    if (event === 'connection' && socket instanceof WebSocket) failHandler(socket, failure)
    // A listener for 'error' that fails would hear of it, and fail, for ever.
    else if (event === 'error') process.emitWarning(toError(failure))
    else this.report(failure)
  },
})

/** An upgrade on its way through the handshake. */
interface Upgrade<User> {
  readonly request: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
  readonly callback: (socket: WebSocket<User>, request: IncomingMessage) => void
}

const NOBODY = { user: undefined, forwardedAddress: undefined }

function notHere(): Refusal {
  return refusalFor('path', 404, { body: 'No websocket is served at this path\n' })
}

function shuttingDown(): Refusal {
  const body = 'The server is shutting down\n'
  return refusalFor('shutdown', 503, { body, headers: { 'Retry-After': '5' } })
}

function ignore(): void {
  // The peer has gone, and the socket closes by itself.
}
