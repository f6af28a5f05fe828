import type { Duplex } from 'node:stream'
import type { Compression, ConnectionSettings } from './connection-settings.js'

/** What an opening handshake ends in, at either end: all that an open connection starts from. */
export interface Established {
  readonly socket: Duplex
  /** The bytes that came behind the handshake. */
  readonly head: Buffer
  /** The chosen subprotocol, or `''`. */
  readonly protocol: string
  readonly compression: Compression | undefined
  readonly settings: ConnectionSettings
}
