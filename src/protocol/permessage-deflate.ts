import { checkInteger, withoutNulls } from '../options/checks.js'
import { type Extension, formatExtension } from './header-grammar.js'

/** The name under which RFC 7692 registered the extension. */
export const PERMESSAGE_DEFLATE = 'permessage-deflate'

/** How permessage-deflate (RFC 7692) is offered, accepted and run; the names are those of `ws`. */
export interface PerMessageDeflateOptions {
  /**
   * The server compresses each message on its own; `true` by default. `false` keeps a window of up to 32 KiB for each
   * connection. So does a client whose server ignores the request.
   */
  serverNoContextTakeover?: boolean
  /** The client compresses each message on its own; `true` by default. */
  clientNoContextTakeover?: boolean
  /**
   * The base-2 logarithm of the server's window, 9 to 15; 15 by default. A client whose server ignores it inflates with
   * the window that the server states.
   */
  serverMaxWindowBits?: number
  /** The base-2 logarithm of the client's window, 9 to 15; 15 by default. `true` also means 15. */
  clientMaxWindowBits?: number | true
  /** Shorter messages, in bytes, are sent uncompressed; 1024 by default. */
  threshold?: number
  /** zlib's `level` (-1 to 9) and `memLevel` (1 to 9) for what we compress. */
  zlibDeflateOptions?: { level?: number; memLevel?: number }
}

/** The negotiated parameters (RFC 7692 section 7.1). */
export interface DeflateParameters {
  serverNoContextTakeover: boolean
  clientNoContextTakeover: boolean
  serverMaxWindowBits: number
  clientMaxWindowBits: number
}

/** The parameters of one offer or answer, as the header states them. */
interface Stated {
  serverNoContextTakeover: boolean
  clientNoContextTakeover: boolean
  serverMaxWindowBits: number | undefined
  /** `true` if it has no value, which only an offer may omit. */
  clientMaxWindowBits: number | true | undefined
}

const MAX_WINDOW_BITS = 15
const MIN_WINDOW_BITS = 8
/** zlib's raw deflate silently takes 9 bits for 8, which a peer with 8 bits may not be able to inflate. */
const MIN_OWN_WINDOW_BITS = 9

/**
 * A server's side of the negotiation: accepts the first offer that it can serve, in the client's order of preference
 * (RFC 7692 section 5.1). It declines an offer with an unknown, duplicate or invalid parameter, and one that limits our
 * window to 8 bits.
 *
 * | the offer has | the answer has |
 * | --- | --- |
 * | server_no_context_takeover | the same; without it too, unless `serverNoContextTakeover: false` |
 * | client_no_context_takeover | the same; without it too, unless `clientNoContextTakeover: false` |
 * | server_max_window_bits=n | the smaller of n and ours |
 * | no server_max_window_bits | ours, if it is not 15 |
 * | client_max_window_bits or =n | the smaller of n and ours, if that is not 15 |
 * | no client_max_window_bits | nothing: the client may not know it |
 */
export function acceptOffer(
  offers: readonly Extension[],
  options: PerMessageDeflateOptions,
): { parameters: DeflateParameters; answer: string } | undefined {
  for (const offer of offers) {
    if (offer.name !== PERMESSAGE_DEFLATE) continue
    const stated = readParameters(offer)
    if (stated === undefined) continue
    const parameters = answerTo(stated, options)
    if (parameters.serverMaxWindowBits < MIN_OWN_WINDOW_BITS) continue
    return { parameters, answer: format(parameters, stated.serverMaxWindowBits !== undefined) }
  }
  return undefined
}

function answerTo(stated: Stated, options: PerMessageDeflateOptions): DeflateParameters {
  const clientBits = clientWindowBits(options)
  return {
    serverNoContextTakeover: stated.serverNoContextTakeover || options.serverNoContextTakeover !== false,
    clientNoContextTakeover: stated.clientNoContextTakeover || options.clientNoContextTakeover !== false,
    serverMaxWindowBits: Math.min(
      stated.serverMaxWindowBits ?? MAX_WINDOW_BITS,
      options.serverMaxWindowBits ?? MAX_WINDOW_BITS,
    ),
    clientMaxWindowBits:
      stated.clientMaxWindowBits === undefined
        ? MAX_WINDOW_BITS
        : stated.clientMaxWindowBits === true
          ? clientBits
          : Math.min(stated.clientMaxWindowBits, clientBits),
  }
}

function clientWindowBits({ clientMaxWindowBits = true }: PerMessageDeflateOptions): number {
  return clientMaxWindowBits === true ? MAX_WINDOW_BITS : clientMaxWindowBits
}

/** A client's offer. */
export function formatOffer(options: PerMessageDeflateOptions): string {
  const parameters: Extension['parameters'] = []
  if (options.serverNoContextTakeover !== false) parameters.push(['server_no_context_takeover', true])
  if (options.clientNoContextTakeover !== false) parameters.push(['client_no_context_takeover', true])
  if (options.serverMaxWindowBits !== undefined) {
    parameters.push(['server_max_window_bits', String(options.serverMaxWindowBits)])
  }
  const { clientMaxWindowBits: bits = true } = options
  parameters.push(['client_max_window_bits', bits === true || String(bits)])
  return formatExtension({ name: PERMESSAGE_DEFLATE, parameters })
}

/**
 * A client's reading of the server's answer to {@link formatOffer} (RFC 7692 section 7.1).
 *
 * A server that accepts an offer with server_no_context_takeover or server_max_window_bits has to answer with them
 * (sections 7.1.1.1 and 7.1.2.1). Some do not. Section 7.1 makes a client fail the connection if it does not support
 * what the answer stands for, but zlib inflates any window: such an answer is accepted as it stands, which costs a
 * window of 32 KiB at most.
 *
 * @returns the negotiated parameters, or a sentence that describes the server's mistake
 */
export function readAnswer(
  answer: readonly Extension[],
  options: PerMessageDeflateOptions,
): DeflateParameters | string {
  const [extension, ...more] = answer
  if (extension?.name !== PERMESSAGE_DEFLATE) return 'the server accepted an extension that was not offered'
  if (more.length > 0) return 'the server accepted more extensions than were offered'
  const stated = readParameters(extension)
  if (stated === undefined) return 'a parameter of permessage-deflate is not valid'
  // A server may ignore the window that we announced, but we still keep to it (RFC 7692 section 7.1.2.2).
  const announced = clientWindowBits(options)
  const { serverMaxWindowBits = MAX_WINDOW_BITS, clientMaxWindowBits = announced } = stated
  if (clientMaxWindowBits === true) return 'client_max_window_bits has no value'
  if (clientMaxWindowBits < MIN_OWN_WINDOW_BITS) return 'zlib cannot compress with a window of 8 bits'
  if (clientMaxWindowBits > announced) return 'client_max_window_bits is larger than the offer allows'
  return {
    serverNoContextTakeover: stated.serverNoContextTakeover,
    // The announcement in the offer applies even if the answer does not repeat it (RFC 7692 section 7.1.1.2).
    clientNoContextTakeover: stated.clientNoContextTakeover || options.clientNoContextTakeover !== false,
    serverMaxWindowBits,
    clientMaxWindowBits,
  }
}

/** @param limited - whether the offer limits the server's window: the answer then states it, even if it is 15 */
function format(parameters: DeflateParameters, limited: boolean): string {
  const stated: Extension['parameters'] = []
  if (parameters.serverNoContextTakeover) stated.push(['server_no_context_takeover', true])
  if (parameters.clientNoContextTakeover) stated.push(['client_no_context_takeover', true])
  if (limited || parameters.serverMaxWindowBits < MAX_WINDOW_BITS) {
    stated.push(['server_max_window_bits', String(parameters.serverMaxWindowBits)])
  }
  if (parameters.clientMaxWindowBits < MAX_WINDOW_BITS) {
    stated.push(['client_max_window_bits', String(parameters.clientMaxWindowBits)])
  }
  return formatExtension({ name: PERMESSAGE_DEFLATE, parameters: stated })
}

function readParameters(extension: Extension): Stated | undefined {
  const stated = new Map(extension.parameters)
  if (stated.size < extension.parameters.length) return undefined
  for (const [name, value] of stated) if (!isValidParameter(name, value)) return undefined
  const clientBits = stated.get('client_max_window_bits')
  const serverBits = stated.get('server_max_window_bits')
  return {
    serverNoContextTakeover: stated.has('server_no_context_takeover'),
    clientNoContextTakeover: stated.has('client_no_context_takeover'),
    serverMaxWindowBits: serverBits === undefined ? undefined : Number(serverBits),
    clientMaxWindowBits: clientBits === undefined || clientBits === true ? clientBits : Number(clientBits),
  }
}

function isValidParameter(name: string, value: string | true): boolean {
  switch (name) {
    case 'server_no_context_takeover':
    case 'client_no_context_takeover':
      return value === true
    case 'server_max_window_bits':
      return value !== true && isWindowBits(value)
    case 'client_max_window_bits':
      return value === true || isWindowBits(value)
    default:
      return false
  }
}

/** 8 to 15 in decimal digits without a leading zero (RFC 7692 section 7.1.2). */
function isWindowBits(value: string): boolean {
  const bits = Number(value)
  return (
    String(bits) === value && Number.isInteger(bits) && bits >= MIN_WINDOW_BITS && bits <= MAX_WINDOW_BITS
  )
}

/**
 * Checks options.
 *
 * @returns the options without those that are `null`, which means the default
 * @throws RangeError naming the option, its value and the valid range
 */
export function checkDeflateOptions(given: PerMessageDeflateOptions): PerMessageDeflateOptions {
  const options = withoutNulls(given)
  const { serverMaxWindowBits, clientMaxWindowBits, threshold } = options
  checkWindowBits('serverMaxWindowBits', serverMaxWindowBits)
  if (clientMaxWindowBits !== true) checkWindowBits('clientMaxWindowBits', clientMaxWindowBits)
  check('threshold', threshold, 0, Number.MAX_SAFE_INTEGER)
  if (options.zlibDeflateOptions === undefined) return options
  const zlibDeflateOptions = withoutNulls(options.zlibDeflateOptions)
  check('zlibDeflateOptions.level', zlibDeflateOptions.level, -1, 9)
  check('zlibDeflateOptions.memLevel', zlibDeflateOptions.memLevel, 1, 9)
  return { ...options, zlibDeflateOptions }
}

function checkWindowBits(name: string, bits: number | undefined): void {
  check(name, bits, MIN_OWN_WINDOW_BITS, MAX_WINDOW_BITS)
}

function check(name: string, value: number | undefined, least: number, most: number): void {
  if (value !== undefined) checkInteger(`perMessageDeflate.${name}`, value, least, most)
}
