import { DEFAULT_MAX_FRAGMENTS, DEFAULT_MAX_PAYLOAD } from '../protocol/decoder.js'
import {
  DEFAULT_LEVEL,
  DEFAULT_MEM_LEVEL,
  DEFAULT_THRESHOLD,
  type DeflaterSettings,
  MessageDeflater,
} from '../protocol/message-deflater.js'
import { MessageInflater } from '../protocol/message-inflater.js'
import {
  checkDeflateOptions,
  type DeflateParameters,
  type PerMessageDeflateOptions,
} from '../protocol/permessage-deflate.js'
import type { Compression, ConnectionSettings } from './connection-settings.js'
import { Heartbeat, type HeartbeatOptions } from './heartbeat.js'
import type { MaskingKeys } from '../sending/masking-keys.js'
import type { SlowPolicy } from '../sending/slow-limits.js'
import { checkChoice, checkMilliseconds, checkNumber, checkRate, type Rate } from '../options/checks.js'
import { Traffic } from './traffic.js'

/** What can be chosen for a connection in either role. */
export interface ConnectionOptions {
  /** Offers or accepts permessage-deflate (RFC 7692); `false` by default. */
  perMessageDeflate?: boolean | PerMessageDeflateOptions
  /** The longest message taken, in octets, before and after decompression; 1 MiB by default, 0 for no limit. */
  maxPayload?: number
  /** The most frames, empty ones included, in one message; 131,072 by default. */
  maxFragments?: number
  /** Milliseconds for the closing handshake before the socket is destroyed; 30,000 by default. */
  closeTimeout?: number
  /** Octets that may wait for a peer before it counts as slow; 16 MiB by default. Half of it stops reading from the peer. */
  maxBufferedAmount?: number
  /** What becomes of a slow peer: `'terminate'` (the default) ends its connection, `'skip'` drops what is sent to it. */
  slowPolicy?: SlowPolicy
  /** How often the peer may send a message before it is closed with 1008; no limit by default. */
  messageRate?: Rate
  /** How often it may send a Ping or a Pong; 100 a second, 1,000 at once, by default. `false` is no limit. */
  controlFrameRate?: false | Rate
  /** Pings an idle peer and ends the connection of a silent one; on by default. */
  heartbeat?: false | HeartbeatOptions
  /** Answers Pings; `true` by default. */
  autoPong?: boolean
  /** Takes text without a look at its UTF-8; `false` by default. */
  skipUTF8Validation?: boolean
  /** What a text message arrives as: `'string'` (the default) or, as in `ws`, `'buffer'`. */
  textType?: 'string' | 'buffer'
}

export const DEFAULT_CLOSE_TIMEOUT = 30_000
export const DEFAULT_MAX_BUFFERED_AMOUNT: number = 16 * 1024 * 1024
/** Some send a Ping in front of each message; nobody has a use for more than that. */
export const DEFAULT_CONTROL_FRAME_RATE: Rate = { perSecond: 100, burst: 1000 }

/**
 * Completes and checks the options that all connections of a server, or one client, share.
 *
 * @param from - whose frames are read
 * @throws RangeError when a number is out of its range
 * @throws TypeError when a choice is none
 */
export function connectionSettings(
  options: ConnectionOptions,
  from: 'client' | 'server',
  maskingKeys?: MaskingKeys,
): ConnectionSettings {
  const {
    maxPayload = DEFAULT_MAX_PAYLOAD,
    maxFragments = DEFAULT_MAX_FRAGMENTS,
    closeTimeout = DEFAULT_CLOSE_TIMEOUT,
    maxBufferedAmount = DEFAULT_MAX_BUFFERED_AMOUNT,
    slowPolicy = 'terminate',
    messageRate,
    controlFrameRate = DEFAULT_CONTROL_FRAME_RATE,
    heartbeat = {},
    autoPong = true,
    skipUTF8Validation = false,
    textType = 'string',
  } = options
  checkNumber('maxPayload', maxPayload, 0)
  checkNumber('maxFragments', maxFragments, 1)
  checkMilliseconds('closeTimeout', closeTimeout)
  checkNumber('maxBufferedAmount', maxBufferedAmount, 1)
  if (messageRate !== undefined) checkRate('messageRate', messageRate)
  if (controlFrameRate !== false) checkRate('controlFrameRate', controlFrameRate)
  checkChoice('slowPolicy', slowPolicy, ['terminate', 'skip'])
  checkChoice('textType', textType, ['string', 'buffer'])
  return {
    decoder: { from, maxPayload, maxFragments, skipUTF8Validation, textType },
    closeTimeout,
    maxBufferedAmount,
    slowPolicy,
    autoPong,
    messageRate,
    controlFrameRate: controlFrameRate === false ? undefined : controlFrameRate,
    traffic: new Traffic(),
    heartbeat: heartbeat === false ? undefined : new Heartbeat(heartbeat),
    maskingKeys,
  }
}

/** The options of permessage-deflate where it is on. @throws RangeError when one is out of its range */
export function deflateOptions(
  option: boolean | PerMessageDeflateOptions = false,
): PerMessageDeflateOptions | undefined {
  if (option === false) return undefined
  const options = option === true ? {} : option
  checkDeflateOptions(options)
  return options
}

/** Both halves of what was negotiated, for our end. */
export function compressionFor(
  parameters: DeflateParameters,
  role: 'client' | 'server',
  options: PerMessageDeflateOptions,
): Compression {
  const isServer = role === 'server'
  const ours: DeflaterSettings = {
    windowBits: isServer ? parameters.serverMaxWindowBits : parameters.clientMaxWindowBits,
    contextTakeover: !(isServer ? parameters.serverNoContextTakeover : parameters.clientNoContextTakeover),
    threshold: options.threshold ?? DEFAULT_THRESHOLD,
    level: options.zlibDeflateOptions?.level ?? DEFAULT_LEVEL,
    memLevel: options.zlibDeflateOptions?.memLevel ?? DEFAULT_MEM_LEVEL,
  }
  const theirs = {
    windowBits: isServer ? parameters.clientMaxWindowBits : parameters.serverMaxWindowBits,
    contextTakeover: !(isServer ? parameters.clientNoContextTakeover : parameters.serverNoContextTakeover),
  }
  return { deflater: new MessageDeflater(ours), inflater: new MessageInflater(theirs) }
}
