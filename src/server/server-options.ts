import type { IncomingMessage, Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from '../connection/settings.js'
import type { WebSocket } from '../websocket/websocket.js'
import type { AdmissionOptions } from './admission/admission.js'
import type { ListenOptions } from './listening.js'
import type { Path } from './path.js'
import type { HandleProtocols } from './subprotocol.js'

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
  handleProtocols?: HandleProtocols
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

/** @throws TypeError when it is not said where the server is, or said twice */
export function checkPlace<User>({ port, unixPath, server, noServer }: WebSocketServerOptions<User>): void {
  const places = [port !== undefined, unixPath !== undefined, server !== undefined, noServer === true]
  if (places.filter(Boolean).length === 1) return
  throw new TypeError('One and only one of the options port, unixPath, server and noServer must be given')
}
