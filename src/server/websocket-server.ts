import { EventEmitter } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Compression, ConnectionSettings } from '../connection/connection-settings.js'
import {
  compressionFor,
  type ConnectionOptions,
  connectionSettings,
  deflateOptions,
} from '../connection/settings.js'
import { CloseCode, encodeClose } from '../protocol/close-codes.js'
import {
  acceptanceLines,
  HandshakeError,
  joinLines,
  type Opening,
  readRequest,
} from '../protocol/handshake.js'
import { acceptOffer, type PerMessageDeflateOptions } from '../protocol/permessage-deflate.js'
import { WebSocket } from '../websocket.js'
import { Admission, type AdmissionOptions, type Admitted, DEFAULT_HANDSHAKE_TIMEOUT } from './admission.js'
import { GONE } from './authentication.js'
import { withoutSecrets } from './credentials.js'
import { closeAll, type ShutdownResult } from './shutdown.js'
import { createOwnServer, listen, type ListenOptions } from './listening.js'
import { matchPath, type Path } from './path.js'
import { Refusal, refuse, writeRefusal } from './refusal.js'
import { UpgradeDispatcher, type UpgradeOwner } from './upgrade-dispatcher.js'

/** How a {@link WebSocketServer} works; one of `port`, `unixPath`, `server` and `noServer` says where. */
export interface WebSocketServerOptions<User = undefined>
  extends ConnectionOptions, ListenOptions, AdmissionOptions<User> {
  /** An HTTP server to share: upgrades that this server owns are taken from it, all else is left alone. */
  server?: Server | SecureServer
  /** Leaves it to the caller to pass upgrades to {@link WebSocketServer.handleUpgrade}. */
  noServer?: boolean
  /** Which requests are this server's; all by default. */
  path?: Path
  /** Chooses a subprotocol, `false` for none; the client's first by default. */
  handleProtocols?: (protocols: Set<string>, request: IncomingMessage) => string | false
  /** Keeps {@link WebSocketServer.clients}; `true` by default. */
  clientTracking?: boolean
  /** The class of the sockets. */
  WebSocket?: typeof WebSocket<User>
}

/** The events of a {@link WebSocketServer}. */
export interface WebSocketServerEvents<User> {
  connection: [socket: WebSocket<User>, request: IncomingMessage]
  listening: []
  close: []
  error: [error: Error]
  headers: [headers: string[], request: IncomingMessage]
  wsClientError: [error: Error, socket: Duplex, request: IncomingMessage]
}

const DEFAULT_SHUTDOWN_TIMEOUT = 10_000

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
  readonly #sockets = new Set<WebSocket<User>>()
  readonly #server: Server | undefined
  readonly #onSocketClose: (this: WebSocket<User>) => void
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
    const forget = (socket: WebSocket<User>): void => {
      this.#sockets.delete(socket)
      this.#closeWhenEmpty()
    }
    this.#onSocketClose = function () {
      forget(this)
    }
    this.#settings = connectionSettings(options, 'client')
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
      else this.refuseFailed(error, socket)
      return
    }
    if (params === undefined)
      this.#refuse(refuse(404, { body: 'No websocket is served at this path\n' }), socket)
    else if (!this.#isAccepting) this.#refuse(shuttingDown(), socket)
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
   * @param options - `code` (1001 by default) and `reason` of the Close frames; `timeout` in milliseconds (10,000)
   */
  async shutdown(
    options: { code?: number; reason?: string; timeout?: number } = {},
  ): Promise<ShutdownResult> {
    const { code = CloseCode.goingAway, reason = '', timeout = DEFAULT_SHUTDOWN_TIMEOUT } = options
    encodeClose(code, reason)
    const result = closeAll(this.#sockets, code, reason)
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
    }, timeout)
    await closed
    clearTimeout(timer)
    this.#leaveServer()
    return result
  }

  #admit(upgrade: Upgrade<User>, opening: Opening, params: Readonly<Record<string, string>>): void {
    const { request, socket } = upgrade
    const finish = (result: Admitted<User> | Refusal | typeof GONE): void => {
      if (result === GONE || socket.destroyed) socket.destroy()
      else if (!this.#isAccepting) this.#refuse(shuttingDown(), socket)
      else if (result instanceof Refusal && result.closeCode === undefined) this.#refuse(result, socket)
      else this.#accept(upgrade, opening, params, result)
    }
    const fail = (error: unknown): void => {
      this.refuseFailed(error, socket)
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
    { request, socket, head, callback }: Upgrade<User>,
    opening: Opening,
    params: Readonly<Record<string, string>>,
    result: Admitted<User> | Refusal,
  ): void {
    let protocol: string
    let compression: Compression | undefined
    try {
      protocol = this.#chooseProtocol(opening.protocols, request)
      const accepted = this.#deflate && acceptOffer(opening.extensions, this.#deflate)
      compression = accepted && compressionFor(accepted.parameters, 'server', this.#deflate ?? {})
      const lines = acceptanceLines({ key: opening.key, protocol, extensions: accepted?.answer ?? '' })
      this.emit('headers', lines, request)
      socket.write(joinLines(lines))
    } catch (error) {
      this.report(error)
      this.#refuse(refuse(500, { body: 'The server failed to answer the handshake\n' }), socket)
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
      params,
      forwardedAddress,
    }
    WebSocket.attach(webSocket, { ...connection, user: user as User })
    this.#sockets.add(webSocket)
    webSocket.on('close', this.#onSocketClose)
    if (result instanceof Refusal) webSocket.close(result.closeCode, result.closeReason)
    else callback(webSocket, request)
  }

  #chooseProtocol(protocols: Set<string>, request: IncomingMessage): string {
    const offered = withoutSecrets(protocols, request)
    if (offered.size === 0) return ''
    const { handleProtocols } = this.options
    if (handleProtocols === undefined) return offered.values().next().value ?? ''
    const chosen = handleProtocols(offered, request)
    if (chosen === false || offered.has(chosen)) return chosen || ''
    throw new TypeError(`handleProtocols chose ${JSON.stringify(chosen)}, which the client did not offer`)
  }

  #refuseMalformed(error: HandshakeError, { request, socket }: Upgrade<User>): void {
    if (this.listenerCount('wsClientError') > 0) this.emit('wsClientError', error, socket, request)
    else this.#refuse(refuse(error.status, { headers: error.headers, body: `${error.message}\n` }), socket)
  }

  /** A check of the application failed: 500, and those who listen hear why. @internal */
  refuseFailed(failure: unknown, socket: Duplex): void {
    this.report(failure)
    this.#refuse(refuse(500, { body: 'The server failed to look at the request\n' }), socket)
  }

  #refuse(refusal: Refusal, socket: Duplex): void {
    if (!socket.destroyed) writeRefusal(socket, refusal)
  }

  /** A failure of the application's own code: told to those who listen, and never lost. @internal */
  report(failure: unknown): void {
    const error = toError(failure)
    if (this.listenerCount('error') > 0) this.emit('error', error)
    else process.emitWarning(error)
  }

  #listen(options: WebSocketServerOptions<User>, callback: (() => void) | undefined): Server {
    const server = createOwnServer(options.handshakeTimeout ?? DEFAULT_HANDSHAKE_TIMEOUT)
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
    if (event === 'connection' && socket instanceof WebSocket) socket.abort(failure)
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

/** @throws TypeError when it is not said where the server is, or said twice */
function checkPlace<User>({ port, unixPath, server, noServer }: WebSocketServerOptions<User>): void {
  const places = [port !== undefined, unixPath !== undefined, server !== undefined, noServer === true]
  if (places.filter(Boolean).length === 1) return
  throw new TypeError('One and only one of the options port, unixPath, server and noServer must be given')
}

function toError(failure: unknown): Error {
  return failure instanceof Error ? failure : new Error(String(failure), { cause: failure })
}

function shuttingDown(): Refusal {
  return refuse(503, { body: 'The server is shutting down\n', headers: { 'Retry-After': '5' } })
}

function ignore(): void {
  // The peer has gone, and the socket closes by itself.
}
