import type { ClientRequest } from 'node:http'
import { asDOMException, type ErrorForm } from '../options/error-form.js'
import { type RequestRules, STRICT_REQUESTS } from '../protocol/handshake.js'
import { toArrayBuffer } from '../sending/payload.js'

/**
 * The differences between the two entries of the package: `hubwire`, and `hubwire/ws`, which behaves like the package
 * `ws`. Both share one core. Programs do not see the preset: each entry adds its own to the options that it receives.
 */
export interface Preset {
  /** Whether options are checked before anything else happens: their names, their types and their values. */
  readonly checksOptions: boolean
  /** The errors for misuse of WHATWG's members. */
  readonly errorForm: ErrorForm
  /** The effect of a failing listener or check: it closes its connection, or the error is uncaught. */
  readonly handlerFailure: 'close' | 'throw'
  /**
   * When `'error'` is emitted: for every cause, if it has a listener; or only for a violation of the peer and a
   * message that could not be created, and then always, so that without a listener it ends the process.
   */
  readonly errorEvents: 'heard' | 'always'
  /** Creates the emitted error from the cause. */
  readonly toErrorEvent?: ((cause: Error) => Error) | undefined
  /** Whether the Close frame for a violation of the peer contains a reason. */
  readonly explainsMistakes: boolean
  /** Whether messages wait until an async `'connection'` listener has settled. */
  readonly earlyMessages: 'hold' | 'drop'
  /** Whether a paused socket reads up to 64 KiB ahead, to notice the end of the connection. */
  readonly readsAhead: boolean
  /** Whether several messages of one chunk may be delivered in one turn of the event loop. */
  readonly allowsSynchronousEvents: boolean
  /** Converts the reason of a Close frame to the type in which it is delivered. */
  readonly closeReason: 'string' | 'buffer'
  /** Converts the bytes of a binary message, for each `binaryType`; `undefined` for a Buffer. */
  readonly binaryForms: Readonly<Record<string, ((data: Buffer) => unknown) | undefined>>
  /** Sends the Pong for a Ping, instead of the connection. */
  readonly answerPing?: ((socket: unknown, payload: Buffer) => void) | undefined
  /** Whether `maxBufferedAmount` limits the queued output. */
  readonly limitsSlowPeers: boolean
  /** The opening handshake of a server. */
  readonly accepting: AcceptingRules
  /** The opening handshake of a client. */
  readonly opening: OpeningRules
}

/** The opening handshake of a server. */
export interface AcceptingRules {
  /** How strictly the request is read. */
  readonly requests: RequestRules
  /** The status for a path that the server does not handle. */
  readonly statusOfPath: number
  /** Whether upgrades to other protocols are refused if there is no other listener. */
  readonly refusesOtherProtocols: boolean
  /** Whether a request is refused if none of its offers of permessage-deflate can be accepted. */
  readonly refusesBadOffers: boolean
  /** Whether any truthy result of the application's checks accepts, instead of only `true`, and without being awaited. */
  readonly takesTruthyAnswers: boolean
  /** Whether a client that has sent FIN by the end of an asynchronous check is dropped instead of served. */
  readonly dropsEndedClients: boolean
  /** Whether a server on its own port keeps the request timeouts of Node.js. */
  readonly keepsHttpTimeouts: boolean
  /** Whether `close()` of a server with `clientTracking: false` waits for its connections. */
  readonly awaitsUntracked: boolean
}

/** The opening handshake of a client. */
export interface OpeningRules {
  readonly protocolVersion: string
  /** Whether subprotocols that differ only by case count as repeated. */
  readonly ignoresCase: boolean
  /** The error of a refused client: with the body of the answer, or immediately with only its status. */
  readonly refusals: 'with-body' | 'status-only'
  /**
   * `strict` refuses redirects that leave TLS, and sends nothing of the options to another origin. `as-curl` follows all, and
   * omits Authorization, Cookie and Host at another host, unless the application listens for redirects.
   */
  readonly redirects: 'strict' | 'as-curl'
  /** Ends the request, instead of `request.end()`. */
  readonly finishRequest?: ((request: ClientRequest, socket: unknown) => void) | undefined
}

/** The key under which an entry adds its preset to the options. */
export const PRESET: unique symbol = Symbol('preset')

/** Options that an entry may have added its preset to. */
export interface PresetOptions {
  /** @internal */
  readonly [PRESET]?: Preset
}

/** How `hubwire` behaves. */
export const HUBWIRE_PRESET: Preset = {
  checksOptions: true,
  errorForm: asDOMException,
  handlerFailure: 'close',
  errorEvents: 'heard',
  explainsMistakes: true,
  earlyMessages: 'hold',
  readsAhead: true,
  allowsSynchronousEvents: true,
  closeReason: 'string',
  // Node's listeners get a Buffer for 'blob' as well.
  binaryForms: { nodebuffer: undefined, arraybuffer: toArrayBuffer, blob: undefined },
  limitsSlowPeers: true,
  accepting: {
    requests: STRICT_REQUESTS,
    statusOfPath: 404,
    refusesOtherProtocols: false,
    refusesBadOffers: false,
    takesTruthyAnswers: false,
    dropsEndedClients: false,
    keepsHttpTimeouts: false,
    awaitsUntracked: true,
  },
  opening: { protocolVersion: '13', ignoresCase: true, refusals: 'with-body', redirects: 'strict' },
}

/** The preset that was added to options. */
export function presetOf(options: unknown): Preset {
  return (options as PresetOptions | null | undefined)?.[PRESET] ?? HUBWIRE_PRESET
}
