import { type Channel, channel } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import type { CloseDetails } from './connection-events.js'

/**
 * Why a connection was refused: a malformed handshake, a path that no server handles, a limit by the name of its
 * option, a shutdown, the application's own checks, or an error in one of them.
 */
export type RefusalReason =
  | 'handshake'
  | 'path'
  | 'origin'
  | 'maxConnections'
  | 'maxConnectionsPerAddress'
  | 'handshakeTimeout'
  | 'shutdown'
  | 'application'
  | 'error'

/**
 * What the library publishes on the channels of `node:diagnostics_channel`, by their names, for all connections of the
 * process in either role. `server` is the one that accepted the connection; a client's messages have none. Without a
 * subscriber it costs nothing.
 */
export interface Diagnostics<Socket = unknown, Server = unknown> {
  /** A connection is open; `request` at a server. */
  'hubwire:connection': { socket: Socket; server?: Server; request?: IncomingMessage }
  /** A message was received. */
  'hubwire:message': {
    socket: Socket
    server?: Server
    data: string | Buffer | ArrayBuffer
    isBinary: boolean
  }
  /** A connection has ended. */
  'hubwire:close': { socket: Socket; server?: Server; code: number; reason: string; details: CloseDetails }
  /** A peer or a connection failed, or an attempt to connect. */
  'hubwire:error': { socket: Socket; server?: Server; error: Error }
  /**
   * A handshake was refused; with a Close frame if the status is 101. No `server` if several share a port and none
   * handles the path.
   */
  'hubwire:refused': { server?: Server; request: IncomingMessage; status: number; reason: RefusalReason }
  /** A `send` returned `false`: `'drain'` will follow. */
  'hubwire:backpressure': { socket: Socket; server?: Server; bufferedAmount: number }
}

/** Check `hasSubscribers` before publishing, so that no message is created without a subscriber. */
export const channels: Readonly<
  Record<'connection' | 'message' | 'close' | 'error' | 'refused' | 'backpressure', Channel>
> = {
  connection: channel('hubwire:connection'),
  message: channel('hubwire:message'),
  close: channel('hubwire:close'),
  error: channel('hubwire:error'),
  refused: channel('hubwire:refused'),
  backpressure: channel('hubwire:backpressure'),
}
