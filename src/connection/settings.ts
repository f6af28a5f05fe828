import type { Duplex } from 'node:stream'
import { DEFAULT_MAX_FRAGMENTS, DEFAULT_MAX_PAYLOAD, type DecoderOptions } from '../protocol/decoder.js'
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
import {
  checkBoolean,
  checkChoice,
  checkMilliseconds,
  checkNumber,
  checkRate,
  type Rate,
  withoutNulls,
} from '../options/checks.js'
import { describe } from '../options/describe.js'
import { checkNames } from '../options/spelling.js'
import type { MaskingKeys } from '../sending/masking-keys.js'
import type { SendingSettings } from '../sending/sender.js'
import type { SlowPolicy } from '../sending/slow-limits.js'
import { Traffic } from '../sending/traffic.js'
import type { CloseDetails } from './connection-events.js'
import { Heartbeat, type HeartbeatOptions } from './heartbeat.js'
import { NESTED_OPTIONS } from './option-names.js'
import { type Preset, type PresetOptions, presetOf } from './preset.js'

/** The options of a connection in either role. */
export interface ConnectionOptions extends PresetOptions {
  /** Offers or accepts permessage-deflate (RFC 7692); `false` by default. */
  perMessageDeflate?: boolean | PerMessageDeflateOptions
  /** The longest message accepted, in bytes, before and after decompression; 1 MiB by default, 0 for no limit. */
  maxPayload?: number
  /** The most frames, empty ones included, in one message; 131,072 by default. */
  maxFragments?: number
  /**
   * Milliseconds that the peer has for the closing handshake, counted from the last byte that it took or sent, and ten
   * times as long at most; 30,000 by default. A paused socket has the same time to take what was received before the end.
   */
  closeTimeout?: number
  /**
   * Bytes that may be queued for a peer before it counts as slow; 16 MiB by default. What a single turn of the event loop
   * adds is not counted in that turn. If the peer's own messages have caused more than half of it, reading stops.
   */
  maxBufferedAmount?: number
  /** What happens to a slow peer: `'terminate'` (the default) ends its connection, `'skip'` drops whole messages. */
  slowPolicy?: SlowPolicy
  /** How often the peer may send a message before it is closed with 1008; no limit by default. */
  messageRate?: Rate
  /** How often it may send a Ping or a Pong; 100 a second, 1,000 at once, by default. `false` is no limit. */
  controlFrameRate?: false | Rate
  /** Pings an idle peer and terminates a silent one; on by default, `false` turns it off. A number is its `interval`. */
  heartbeat?: false | number | HeartbeatOptions
  /** Answers Pings; `true` by default. */
  autoPong?: boolean
  /** Accepts text without validating its UTF-8; `false` by default. */
  skipUTF8Validation?: boolean
  /** What a text message arrives as: `'string'` (the default) or, as in `ws`, `'buffer'`. */
  textType?: 'string' | 'buffer'
}

/** What all connections of a server, or one client, have in common. @internal */
export interface ConnectionSettings extends SendingSettings {
  readonly decoder: DecoderOptions
  /** Milliseconds that the peer has to complete the closing handshake. */
  readonly closeTimeout: number
  /** Whether the library answers Pings. */
  readonly autoPong: boolean
  /** How often the peer may send a message. */
  readonly messageRate?: Rate | undefined
  /** How often the peer may send a Ping or a Pong. */
  readonly controlFrameRate?: Rate | undefined
  readonly heartbeat?: Heartbeat | undefined
  /** The preset of the entry. */
  readonly preset: Preset
  /** The server that accepts the connections, for the messages of `node:diagnostics_channel`. */
  readonly server?: object | undefined
  /** Called with the failure of a listener, and with the socket that it was called for. */
  readonly onHandlerFailed?: ((error: Error, socket: unknown) => void) | undefined
  /**
   * Called when a socket has closed, before its other listeners. With a listener for each socket, an idle connection
   * would need a Set: 150 bytes.
   */
  readonly onClosed?: ((socket: unknown, details: CloseDetails) => void) | undefined
}

/** Both halves of permessage-deflate, where it was negotiated. @internal */
export interface Compression {
  readonly inflater: MessageInflater
  readonly deflater: MessageDeflater
}

/** The result of an opening handshake in either role: everything that an open connection starts with. @internal */
export interface Established {
  readonly socket: Duplex
  /** The bytes that were received after the handshake. */
  readonly head: Buffer
  /** The chosen subprotocol, or `''`. */
  readonly protocol: string
  readonly compression: Compression | undefined
  readonly settings: ConnectionSettings
}

/** Milliseconds for an opening handshake in either role. */
export const DEFAULT_HANDSHAKE_TIMEOUT = 10_000
const DEFAULT_CLOSE_TIMEOUT = 30_000
/** @internal */
export const DEFAULT_MAX_BUFFERED_AMOUNT: number = 16 * 1024 * 1024
/** Enough for clients that send a Ping before each message. @internal */
export const DEFAULT_CONTROL_FRAME_RATE: Rate = { perSecond: 100, burst: 1000 }

/**
 * Completes and checks the options that all connections of a server, or one client, share.
 *
 * @param from - whose frames are read
 * @throws RangeError when a number is out of its range
 * @throws TypeError when a value is not one of an option's choices
 * @internal
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
  } = withoutNulls(options)
  const preset = presetOf(options)
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
    slowPolicy: preset.limitsSlowPeers ? slowPolicy : 'none',
    autoPong,
    messageRate,
    controlFrameRate: controlFrameRate === false ? undefined : controlFrameRate,
    traffic: new Traffic(),
    heartbeat: heartbeat === false ? undefined : new Heartbeat(heartbeatOptions(heartbeat)),
    maskingKeys,
    preset,
  }
}

/**
 * Checks what the settings do not read: which options are on or off, and the names in options of options.
 *
 * @throws TypeError naming the option and its value
 * @internal
 */
export function checkConnectionFlags(options: ConnectionOptions): void {
  for (const name of ['autoPong', 'skipUTF8Validation'] as const) checkBoolean(name, options[name])
  const { perMessageDeflate } = options
  if (typeof perMessageDeflate !== 'object' || Array.isArray(perMessageDeflate)) {
    checkBoolean('perMessageDeflate', perMessageDeflate)
  }
  for (const [name, names] of Object.entries(NESTED_OPTIONS)) {
    const nested: unknown = options[name as keyof ConnectionOptions]
    if (typeof nested === 'object' && nested !== null) checkNames(nested, names, name)
  }
}

/** @throws TypeError naming the option, its value and the valid values */
function heartbeatOptions(heartbeat: number | HeartbeatOptions): HeartbeatOptions {
  if (typeof heartbeat === 'number') return { interval: heartbeat }
  if (typeof heartbeat === 'object' && !Array.isArray(heartbeat)) return heartbeat
  throw new TypeError(
    `heartbeat must be false, milliseconds such as 25000, or { interval, timeout }; it is ${describe(heartbeat)}`,
  )
}

/** The options of permessage-deflate if it is on. @throws RangeError when one is out of its range */
export function deflateOptions(
  option: boolean | PerMessageDeflateOptions | null = false,
): PerMessageDeflateOptions | undefined {
  if (option === false || option === null) return undefined
  return checkDeflateOptions(option === true ? {} : option)
}

/** Both halves of the negotiated compression, for this end. @internal */
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
