import { type Channel, channel } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import type { CloseDetails } from './connection-events.js'

/**
 * What a connection was refused for: a malformed handshake, a path that nobody serves, a limit by its option's name, the
 * shutdown, the application's own checks, or an error in one of them.
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
  /** A message has come. */
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
  /** A handshake was refused, with the status 101 by a Close frame; without `server` where several share a port and none serves the path. */
  'hubwire:refused': { server?: Server; request: IncomingMessage; status: number; reason: RefusalReason }
  /** A `send` returned `false`: `'drain'` is to come. */
  'hubwire:backpressure': { socket: Socket; server?: Server; bufferedAmount: number }
}

/** Whoever publishes asks `hasSubscribers` first: without a subscriber, nothing is made. */
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
