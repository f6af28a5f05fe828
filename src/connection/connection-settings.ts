import type { DecoderOptions } from '../protocol/decoder.js'
import type { MessageDeflater } from '../protocol/message-deflater.js'
import type { MessageInflater } from '../protocol/message-inflater.js'
import type { Heartbeat } from './heartbeat.js'
import type { MaskingKeys } from '../sending/masking-keys.js'
import type { SlowPolicy } from '../sending/slow-limits.js'
import type { Rate } from '../options/checks.js'
import type { Traffic } from './traffic.js'

/** What all connections of a server, or one client, have in common. */
export interface ConnectionSettings {
  readonly decoder: DecoderOptions
  /** Milliseconds that the peer has to complete the closing handshake. */
  readonly closeTimeout: number
  /** Octets that may wait for a peer before it counts as slow. */
  readonly maxBufferedAmount: number
  /** What becomes of a slow peer: its connection ends, or it misses messages. */
  readonly slowPolicy: SlowPolicy
  /** Whether Pings are answered by the library. */
  readonly autoPong: boolean
  /** How often the peer may send a message. */
  readonly messageRate?: Rate | undefined
  /** How often the peer may send a Ping or a Pong. */
  readonly controlFrameRate?: Rate | undefined
  readonly heartbeat?: Heartbeat | undefined
  readonly traffic: Traffic
  /** The source of masking keys, in a client. */
  readonly maskingKeys?: MaskingKeys | undefined
}

/** The halves of permessage-deflate, where it was negotiated. */
export interface Compression {
  readonly inflater: MessageInflater
  readonly deflater: MessageDeflater
}
