import type { IncomingMessage } from 'node:http'
import type { CloseDetails } from './connection/event-target.js'
import type { RefusalReason } from './server/refusal.js'
import type { WebSocket } from './websocket.js'

/**
 * What the library publishes on the channels of `node:diagnostics_channel`, by their names, for all connections of the
 * process in either role. Without a subscriber it costs nothing.
 */
export interface Diagnostics {
  /** A connection is open; `request` at a server. */
  'hubwire:connection': { socket: WebSocket; request?: IncomingMessage }
  /** A message has come. */
  'hubwire:message': { socket: WebSocket; data: string | Buffer | ArrayBuffer; isBinary: boolean }
  /** A connection has ended. */
  'hubwire:close': { socket: WebSocket; code: number; reason: string; details: CloseDetails }
  /** A peer or a connection failed, or an attempt to connect. */
  'hubwire:error': { socket: WebSocket; error: Error }
  /** A server refused a handshake; the status is 101 where it is a Close frame that refuses. */
  'hubwire:refused': { request: IncomingMessage; status: number; reason: RefusalReason }
  /** A `send` returned `false`: `'drain'` is to come. */
  'hubwire:backpressure': { socket: WebSocket; bufferedAmount: number }
}
