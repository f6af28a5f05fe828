import type { IncomingMessage, Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from '../connection/settings.js'
import { WebSocket } from '../websocket/websocket.js'
import type { AdmissionOptions } from './admission/admission.js'
import type { Authenticate, SocketUser } from './admission/authentication.js'
import type { ListenOptions } from './listening.js'
import type { Path } from './path.js'
import type { HandleProtocols } from './subprotocol-choice.js'

interface ServerOptions<User, Tracking> extends ConnectionOptions, ListenOptions, AdmissionOptions<User> {
  /** An HTTP server to share: this server handles the upgrades that match its `path`, and leaves the rest alone. */
  server?: Server | SecureServer
  /** The application passes the upgrades to {@link WebSocketServer.handleUpgrade}. */
  noServer?: boolean
  /** The requests to handle; all by default. */
  path?: Path
  /** Chooses a subprotocol; the first that the client offers by default. */
  handleProtocols?: HandleProtocols
  /** Provides {@link WebSocketServer.clients}; `true` by default. */
  clientTracking?: Tracking
  /** The class of the sockets. */
  WebSocket?: typeof WebSocket<User>
}

/**
 * The options of a {@link WebSocketServer}. Exactly one of `port`, `unixPath`, `server` and `noServer` must be given.
 * `null` means the default, as `undefined` does. With a `User` that is never `undefined`, `authenticate` is required.
 */
export type WebSocketServerOptions<User = undefined, Tracking extends boolean = true> = ServerOptions<
  User,
  Tracking
> &
  (undefined extends User ? unknown : { authenticate: Authenticate<User> })

/** The events of a {@link WebSocketServer}. */
export interface WebSocketServerEvents<User> {
  connection: [socket: WebSocket<SocketUser<User>>, request: IncomingMessage]
  listening: []
  close: []
  /** A check, a listener or a handler of the application failed, with the socket that it was for, or listening did. */
  error: [error: Error, socket?: WebSocket<SocketUser<User>>]
  headers: [headers: string[], request: IncomingMessage]
  wsClientError: [error: Error, socket: Duplex, request: IncomingMessage]
}

/** @throws TypeError if the options do not say where the server listens, say it twice, or name a class of other sockets */
export function checkServerOptions<User>(options: WebSocketServerOptions<User, boolean>): void {
  const { port, unixPath, server, noServer, WebSocket: SocketClass } = options
  const places = [port !== undefined, unixPath !== undefined, server !== undefined, noServer === true]
  if (places.filter(Boolean).length !== 1) {
    throw new TypeError('Exactly one of the options port, unixPath, server and noServer must be given')
  }
  if (SocketClass === undefined || SocketClass === WebSocket) return
  if (typeof SocketClass !== 'function' || !(SocketClass.prototype instanceof WebSocket)) {
    throw new TypeError("The option WebSocket must be hubwire's WebSocket or a class that extends it")
  }
}
