import { type Extension, formatExtension } from './header-grammar.js'

/** The name under which RFC 7692 registered the extension. */
export const PERMESSAGE_DEFLATE = 'permessage-deflate'

/** How permessage-deflate (RFC 7692) is offered, accepted and run; the names are those of `ws`. */
export interface PerMessageDeflateOptions {
  /** The server compresses each message by itself; `true` by default. `false` keeps a window of up to 32 KiB a connection. */
  serverNoContextTakeover?: boolean
  /** The client compresses each message by itself; `true` by default. */
  clientNoContextTakeover?: boolean
  /** The base-2 logarithm of the server's window, 9 to 15; 15 by default. */
  serverMaxWindowBits?: number
  /** The base-2 logarithm of the client's window, 9 to 15; 15 by default. */
  clientMaxWindowBits?: number
  /** Shorter messages, in octets, go out as they are; 1024 by default. */
  threshold?: number
  /** zlib's `level` (0 to 9) and `memLevel` (1 to 9) for what we compress. */
  zlibDeflateOptions?: { level?: number; memLevel?: number }
}

/** What both ends agreed on (RFC 7692 section 7.1). */
export interface DeflateParameters {
  serverNoContextTakeover: boolean
  clientNoContextTakeover: boolean
  serverMaxWindowBits: number
  clientMaxWindowBits: number
}

/** The parameters of one offer or answer, as they stand in the header. */
interface Stated {
  serverNoContextTakeover: boolean
  clientNoContextTakeover: boolean
  serverMaxWindowBits: number | undefined
  /** `true` where it stands without a value, which only an offer may do. */
  clientMaxWindowBits: number | true | undefined
}

const MAX_WINDOW_BITS = 15
const MIN_WINDOW_BITS = 8
/** zlib's raw deflate cannot keep to 8 bits: it takes 9 without a word, which an 8-bit peer may not decode. */
const MIN_OWN_WINDOW_BITS = 9

/**
 * A server's side of the negotiation: the first offer that it can serve, of those in the client's order of
 * preference (RFC 7692 section 5.1). An offer with an unknown, duplicate or invalid parameter is declined, as is
 * one that wants a window of 8 bits from us.
 *
 * | the offer has | the answer has |
 * | --- | --- |
 * | server_no_context_takeover | the same; without it too, unless `serverNoContextTakeover: false` |
 * | client_no_context_takeover | the same; without it too, unless `clientNoContextTakeover: false` |
 * | server_max_window_bits=n | the smaller of n and ours |
 * | nothing of it | ours, where it is not 15 |
 * | client_max_window_bits or =n | the smaller of n and ours, where that is not 15 |
 * | nothing of it | nothing: the client need not know it |
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
  const clientBits = options.clientMaxWindowBits ?? MAX_WINDOW_BITS
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

/** A client's offer. */
export function formatOffer(options: PerMessageDeflateOptions): string {
  const parameters: Extension['parameters'] = []
  if (options.serverNoContextTakeover !== false) parameters.push(['server_no_context_takeover', true])
  if (options.clientNoContextTakeover !== false) parameters.push(['client_no_context_takeover', true])
  if (options.serverMaxWindowBits !== undefined) {
    parameters.push(['server_max_window_bits', String(options.serverMaxWindowBits)])
  }
  const bits = options.clientMaxWindowBits
  parameters.push(['client_max_window_bits', bits === undefined ? true : String(bits)])
  return formatExtension({ name: PERMESSAGE_DEFLATE, parameters })
}

/**
 * A client's reading of the server's answer to {@link formatOffer} (RFC 7692 section 7.1).
 *
 * @returns what was agreed on, or a sentence on what the server did wrong
 */
export function readAnswer(
  answer: readonly Extension[],
  options: PerMessageDeflateOptions,
): DeflateParameters | string {
  const [extension, ...more] = answer
  if (extension?.name !== PERMESSAGE_DEFLATE) return `the server accepted an extension that was not offered`
  if (more.length > 0) return 'the server accepted more extensions than were offered'
  const stated = readParameters(extension)
  if (stated === undefined) return 'a parameter of permessage-deflate is not valid'
  // A server may ignore how small a window we announced, which then still holds (RFC 7692 section 7.1.2.2).
  const announced = options.clientMaxWindowBits ?? MAX_WINDOW_BITS
  const { serverMaxWindowBits = MAX_WINDOW_BITS, clientMaxWindowBits = announced } = stated
  if (clientMaxWindowBits === true) return 'client_max_window_bits has no value'
  if (clientMaxWindowBits < MIN_OWN_WINDOW_BITS) return 'zlib cannot compress with a window of 8 bits'
  if (clientMaxWindowBits > announced) return 'client_max_window_bits is larger than the offer allows'
  if (serverMaxWindowBits > (options.serverMaxWindowBits ?? MAX_WINDOW_BITS)) {
    return 'server_max_window_bits is larger than the offer allows, or missing'
  }
  if (options.serverNoContextTakeover !== false && !stated.serverNoContextTakeover) {
    return 'server_no_context_takeover was asked for and is missing'
  }
  return {
    serverNoContextTakeover: stated.serverNoContextTakeover,
    // What the offer announced holds, whether the answer repeats it or not (RFC 7692 section 7.1.1.2).
    clientNoContextTakeover: stated.clientNoContextTakeover || options.clientNoContextTakeover !== false,
    serverMaxWindowBits,
    clientMaxWindowBits,
  }
}

/** @param limited - whether the offer limits the server's window: it is accepted by saying so, 15 included */
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
 * Refuses options of which no good can come.
 *
 * @throws RangeError naming the option and what it may be
 */
export function checkDeflateOptions(options: PerMessageDeflateOptions): void {
  checkRange('serverMaxWindowBits', options.serverMaxWindowBits, MIN_OWN_WINDOW_BITS, MAX_WINDOW_BITS)
  checkRange('clientMaxWindowBits', options.clientMaxWindowBits, MIN_OWN_WINDOW_BITS, MAX_WINDOW_BITS)
  checkRange('threshold', options.threshold, 0, Number.MAX_SAFE_INTEGER)
  checkRange('zlibDeflateOptions.level', options.zlibDeflateOptions?.level, -1, 9)
  checkRange('zlibDeflateOptions.memLevel', options.zlibDeflateOptions?.memLevel, 1, 9)
}

function checkRange(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return
  throw new RangeError(
    `perMessageDeflate.${name} must be an integer from ${least} to ${most}; it is ${value}`,
  )
}
