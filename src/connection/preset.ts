import type { ClientRequest } from 'node:http'
import { asDOMException, type ErrorForm } from '../options/error-form.js'
import { type RequestRules, STRICT_REQUESTS } from '../protocol/handshake.js'
import { toArrayBuffer } from '../sending/payload.js'

/**
 * In what the two entries of the package differ: `hubwire`, and `hubwire/ws`, which behaves as the package `ws` does.
 * One core obeys it. Programs do not see it: each entry adds its own to the options it is given.
 */
export interface Preset {
  /** Whether options are checked before anything else happens: their names, their types and their values. */
  readonly checksOptions: boolean
  /** How misuse of WHATWG's members is thrown. */
  readonly errorForm: ErrorForm
  /** What a failing listener or check does: it costs its connection, or the process gets the error. */
  readonly handlerFailure: 'close' | 'throw'
  /**
   * When an `'error'` is emitted: for every cause of an end, if it has a listener; or for a mistake of the peer's and a
   * message that could not be made alone, and always, so that without a listener it ends the process.
   */
  readonly errorEvents: 'heard' | 'always'
  /** Makes the error that is emitted of the cause. */
  readonly toErrorEvent?: ((cause: Error) => Error) | undefined
  /** Whether the Close frame that answers a mistake of the peer's says in words what that was. */
  readonly explainsMistakes: boolean
  /** Whether messages wait until an async `'connection'` listener has settled. */
  readonly earlyMessages: 'hold' | 'drop'
  /** Whether several messages of one chunk may be delivered in one turn of the event loop. */
  readonly allowsSynchronousEvents: boolean
  /** What the reason of a Close frame is delivered as. */
  readonly closeReason: 'string' | 'buffer'
  /** What makes of its bytes what a binary message is delivered as, for each `binaryType`; `undefined` for a Buffer. */
  readonly binaryForms: Readonly<Record<string, ((data: Buffer) => unknown) | undefined>>
  /** Sends the Pong for a Ping, in place of the connection. */
  readonly answerPing?: ((socket: unknown, payload: Buffer) => void) | undefined
  /** Whether `maxBufferedAmount` limits what may wait for a peer. */
  readonly limitsSlowPeers: boolean
  /** How a server takes part in an opening handshake. */
  readonly accepting: AcceptingRules
  /** What a client does otherwise in its opening handshake. */
  readonly opening: OpeningRules
}

/** How a server takes part in an opening handshake. */
export interface AcceptingRules {
  /** How strictly the request is read. */
  readonly requests: RequestRules
  /** The status for a path that the server does not handle. */
  readonly statusOfPath: number
  /** Whether upgrades to other protocols are refused, where no other listener may handle them. */
  readonly refusesOtherProtocols: boolean
  /** Whether a request is refused that offers permessage-deflate with no parameters that can be accepted. */
  readonly refusesBadOffers: boolean
  /** Whether answers of the application's checks count by their truth, instead of `true` alone, and at once. */
  readonly takesTruthyAnswers: boolean
  /** Whether a client that has sent FIN by the end of an asynchronous check is dropped, in place of served. */
  readonly dropsEndedClients: boolean
  /** Whether a server on a port of its own keeps the times that Node.js allows for a request. */
  readonly keepsHttpTimeouts: boolean
}

/** What a client does otherwise in its opening handshake. */
export interface OpeningRules {
  readonly protocolVersion: string
  /** Whether subprotocols that differ by case alone count as repeated. */
  readonly ignoresCase: boolean
  /** What the error of a refused client says: with the body of the answer, or its status alone and at once. */
  readonly refusals: 'with-body' | 'status-only'
  /** Ends the request, in place of `request.end()`. */
  readonly finishRequest?: ((request: ClientRequest, socket: unknown) => void) | undefined
}

/** Where an entry puts its preset among the options. */
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
  },
  opening: { protocolVersion: '13', ignoresCase: true, refusals: 'with-body' },
}

/** The preset that was added to options. */
export function presetOf(options: unknown): Preset {
  return (options as PresetOptions | null | undefined)?.[PRESET] ?? HUBWIRE_PRESET
}
