import type { IncomingMessage, Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { checkConnectionFlags, type ConnectionOptions } from '../connection/settings.js'
import { SERVER_OPTIONS } from '../connection/option-names.js'
import { checkBoolean, checkInteger } from '../options/checks.js'
import { describe } from '../options/describe.js'
import { checkNames } from '../options/spelling.js'
import { WebSocket } from '../websocket/websocket.js'
import type { AdmissionOptions } from './admission/admission.js'
import type { Authenticate, SocketUser } from './admission/authentication.js'
import { checkUnixMode, type ListenOptions } from './listening.js'
import { compilePattern, type ParamsOf, type Path } from './path.js'
import type { HandleProtocols } from './subprotocol-choice.js'

interface ServerOptions<User, Tracking, Pattern extends string>
  extends ConnectionOptions, ListenOptions, AdmissionOptions<User> {
  /** An HTTP server to share: this server handles the upgrades that match its `path`, and leaves the rest alone. */
  server?: Server | SecureServer
  /** The application passes the upgrades to {@link WebSocketServer.handleUpgrade}. */
  noServer?: boolean
  /** The requests to handle; all by default. */
  path?: Path<Pattern>
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
export type WebSocketServerOptions<
  User = undefined,
  Tracking extends boolean = true,
  Pattern extends string = string,
> = ServerOptions<User, Tracking, Pattern> &
  (undefined extends User ? unknown : { authenticate: Authenticate<User> })

/** The events of a {@link WebSocketServer}. */
export interface WebSocketServerEvents<User, Pattern extends string = string> {
  connection: [socket: WebSocket<SocketUser<User>, ParamsOf<Pattern>>, request: IncomingMessage]
  listening: []
  close: []
  /** A check, a listener or a handler of the application failed, with its socket if there is one, or listening failed. */
  error: [error: Error, socket?: WebSocket<SocketUser<User>, ParamsOf<Pattern>>]
  headers: [headers: string[], request: IncomingMessage]
  wsClientError: [error: Error, socket: Duplex, request: IncomingMessage]
}

/** @throws TypeError naming the option, its value and what to write */
export function checkServerOptions<User>(options: WebSocketServerOptions<User, boolean>): void {
  checkNames(options, SERVER_OPTIONS)
  const { port, unixPath, server, path } = options
  for (const name of ['noServer', 'takeover', 'clientTracking'] as const) checkBoolean(name, options[name])
  checkConnectionFlags(options)
  checkPlace(options)
  // As in Node.js, a port may be text, such as an environment variable.
  const given: unknown = port
  if (given !== undefined) checkInteger('port', given === '' ? NaN : Number(given), 0, 65_535)
  if (unixPath !== undefined && (typeof unixPath !== 'string' || unixPath === '')) {
    throw new TypeError(`unixPath must be a path such as '/run/app/ws.sock'; it is ${describe(unixPath)}`)
  }
  checkUnixMode(options.unixMode)
  if (server !== undefined) checkHttpServer(server)
  if (path !== undefined && typeof path !== 'function' && !(path instanceof RegExp)) {
    if (typeof path !== 'string') {
      throw new TypeError(
        `path must be a path such as '/chat/:room', a regular expression or a function; it is ${describe(path)}`,
      )
    }
    compilePattern('path', path)
  }
  for (const name of ['authenticate', 'verifyClient', 'handleProtocols'] as const) {
    if (options[name] === undefined || typeof options[name] === 'function') continue
    throw new TypeError(`${name} must be a function; it is ${describe(options[name])}`)
  }
}

/** @throws TypeError if the options do not set exactly one place to listen */
export function checkPlace<User>(options: WebSocketServerOptions<User, boolean>): void {
  const { port, unixPath, server, noServer } = options
  const places = { port, unixPath, server, noServer: noServer === true ? true : undefined }
  const given = Object.entries(places).filter(([, value]) => value !== undefined)
  if (given.length === 1) return
  const found = given.map(([name, value]) => `${name}: ${describe(value)}`).join(', ')
  throw new TypeError(
    'Exactly one of the options port, unixPath, server and noServer must be given; ' +
      `${found === '' ? 'none is' : `given are ${found}`}: write { port: 8000 }, or { server: http } to share one`,
  )
}

/** @throws TypeError if the class of the sockets does not extend WebSocket */
export function checkSocketClass(SocketClass: unknown): void {
  if (SocketClass === undefined || SocketClass === WebSocket) return
  if (typeof SocketClass !== 'function' || !(SocketClass.prototype instanceof WebSocket)) {
    throw new TypeError("The option WebSocket must be hubwire's WebSocket or a class that extends it")
  }
}

/** A framework's application object has some of a server's methods, but is not a server. */
function checkHttpServer(server: unknown): void {
  const { on, emit, address } = Object(server) as Readonly<Record<string, unknown>>
  if (typeof server === 'object' && [on, emit, address].every((method) => typeof method === 'function'))
    return
  throw new TypeError(
    `server must be an http.Server or https.Server; it is ${describe(server)}: ` +
      'write { server: createServer(app) } and call listen() on that server',
  )
}
