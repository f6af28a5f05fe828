import {
  acceptOffer,
  type DeflateParameters,
  formatOffer,
  parseExtensions,
  type PerMessageDeflateOptions,
  readAnswer,
} from 'hubwire/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkDeflateOptions } from '#src/protocol/permessage-deflate.js'
import { runs } from '../support/runs.js'

/** What a server answers to these offers, `undefined` for nothing. Parameters alone are an offer of permessage-deflate. */
function answer(offer: string, options: PerMessageDeflateOptions = {}): string | undefined {
  return acceptOffer(parseExtensions(offer), options)?.answer
}

const OFFER = 'permessage-deflate'
const NONE = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'
const TAKEOVER = { serverNoContextTakeover: false, clientNoContextTakeover: false }

/** Each end's own wish for a window. */
const SERVER_12 = { ...TAKEOVER, serverMaxWindowBits: 12 }
const CLIENT_12 = { ...TAKEOVER, clientMaxWindowBits: 12 }

describe('acceptOffer', () => {
  // RFC 7692 section 7.1: one row a combination.
  test.each<[offer: string, options: PerMessageDeflateOptions, answer: string | undefined]>([
    ['', {}, NONE],
    ['', TAKEOVER, OFFER],
    ['', { serverNoContextTakeover: false }, `${OFFER}; client_no_context_takeover`],
    ['', { clientNoContextTakeover: false }, `${OFFER}; server_no_context_takeover`],

    ['; server_no_context_takeover', TAKEOVER, `${OFFER}; server_no_context_takeover`],
    ['; client_no_context_takeover', TAKEOVER, `${OFFER}; client_no_context_takeover`],
    ['; client_no_context_takeover; server_no_context_takeover', TAKEOVER, NONE],
    ['; server_no_context_takeover', {}, NONE],

    // Section 7.1.2.1: an offer of server_max_window_bits is accepted by an answer with it, the same or smaller.
    ['; server_max_window_bits=15', TAKEOVER, `${OFFER}; server_max_window_bits=15`],
    ['; server_max_window_bits=14', TAKEOVER, `${OFFER}; server_max_window_bits=14`],
    ['; server_max_window_bits=10', TAKEOVER, `${OFFER}; server_max_window_bits=10`],
    ['; server_max_window_bits=9', TAKEOVER, `${OFFER}; server_max_window_bits=9`],
    ['; server_max_window_bits="10"', TAKEOVER, `${OFFER}; server_max_window_bits=10`],
    ['', SERVER_12, `${OFFER}; server_max_window_bits=12`],
    ['; server_max_window_bits=10', SERVER_12, `${OFFER}; server_max_window_bits=10`],
    ['; server_max_window_bits=12', SERVER_12, `${OFFER}; server_max_window_bits=12`],
    ['; server_max_window_bits=15', SERVER_12, `${OFFER}; server_max_window_bits=12`],
    // zlib cannot keep to it.
    ['; server_max_window_bits=8', TAKEOVER, undefined],

    // Section 7.1.2.2: without the parameter in the offer, the answer must not have it.
    ['', CLIENT_12, OFFER],
    ['; client_max_window_bits', TAKEOVER, OFFER],
    ['; client_max_window_bits=15', TAKEOVER, OFFER],
    ['; client_max_window_bits=10', TAKEOVER, `${OFFER}; client_max_window_bits=10`],
    ['; client_max_window_bits=8', TAKEOVER, `${OFFER}; client_max_window_bits=8`],
    ['; client_max_window_bits', { ...TAKEOVER, clientMaxWindowBits: true }, OFFER],
    ['; client_max_window_bits', CLIENT_12, `${OFFER}; client_max_window_bits=12`],
    ['; client_max_window_bits=10', CLIENT_12, `${OFFER}; client_max_window_bits=10`],
    ['; client_max_window_bits=15', CLIENT_12, `${OFFER}; client_max_window_bits=12`],

    // Chromium's and Firefox's offer, and all at once.
    ['; client_max_window_bits', {}, NONE],
    [
      '; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11; client_max_window_bits=13',
      TAKEOVER,
      `${NONE}; server_max_window_bits=11; client_max_window_bits=13`,
    ],
  ])('answers the offer %j with the options %j', (parameters, options, expected) => {
    expect(answer(`${OFFER}${parameters}`, options)).toBe(expected)
  })

  // Sections 7.1 and 7.1.2: such an offer must be declined.
  test.each([
    'server_no_context_takeover=1',
    'server_no_context_takeover=true',
    'client_no_context_takeover=1',
    'server_no_context_takeover; server_no_context_takeover',
    'client_no_context_takeover; client_no_context_takeover',
    'server_max_window_bits',
    ...['7', '16', '0', '08', '010', '+9', '-9', '9.0', '1e1', '0x9', 'x', '999999999999'].flatMap((bits) => [
      `server_max_window_bits=${bits}`,
      `client_max_window_bits=${bits}`,
    ]),
    'server_max_window_bits=10; server_max_window_bits=10',
    'client_max_window_bits; client_max_window_bits',
    'client_max_window_bits=10; client_max_window_bits',
    'unknown',
    'unknown=1',
    'Server_No_Context_Takeover',
    'constructor',
    '__proto__=1',
  ])('declines %s', (parameters) => {
    expect(answer(`${OFFER}; ${parameters}`)).toBeUndefined()
  })

  test.each([
    ['other', undefined],
    ['x-webkit-deflate-frame', undefined],
    ['Permessage-Deflate', undefined],
    ['constructor, __proto__', undefined],
    [`other, ${OFFER}`, OFFER],
    [`${OFFER}, other`, OFFER],
    [`${OFFER}; unknown, ${OFFER}`, OFFER],
    [
      `${OFFER}; server_max_window_bits=7, ${OFFER}; server_max_window_bits=9`,
      `${OFFER}; server_max_window_bits=9`,
    ],
    [`${OFFER}; server_max_window_bits=8, ${OFFER}`, OFFER],
    [`${OFFER}; client_no_context_takeover, ${OFFER}`, `${OFFER}; client_no_context_takeover`],
    // RFC 7692 section 7.1.3.
    [
      `${OFFER}; client_max_window_bits; server_max_window_bits=10, ${OFFER}; client_max_window_bits`,
      `${OFFER}; server_max_window_bits=10`,
    ],
  ])('accepts the first offer that it can serve of %s', (offers, expected) => {
    expect(answer(offers, TAKEOVER)).toBe(expected)
  })

  test('accepts nothing without an offer', () => {
    expect(acceptOffer([], {})).toBeUndefined()
  })

  test('returns the parameters of the answer', () => {
    const offer = parseExtensions(`${OFFER}; server_max_window_bits=10; client_max_window_bits=8`)
    expect(acceptOffer(offer, { clientNoContextTakeover: false })?.parameters).toEqual({
      serverNoContextTakeover: true,
      clientNoContextTakeover: false,
      serverMaxWindowBits: 10,
      clientMaxWindowBits: 8,
    })
  })
})

describe('formatOffer', () => {
  test.each<[PerMessageDeflateOptions, string]>([
    [{}, `${NONE}; client_max_window_bits`],
    [TAKEOVER, `${OFFER}; client_max_window_bits`],
    [SERVER_12, `${OFFER}; server_max_window_bits=12; client_max_window_bits`],
    [CLIENT_12, `${OFFER}; client_max_window_bits=12`],
    [{ serverNoContextTakeover: false }, `${OFFER}; client_no_context_takeover; client_max_window_bits`],
    [{ clientNoContextTakeover: false }, `${OFFER}; server_no_context_takeover; client_max_window_bits`],
    [{ ...TAKEOVER, clientMaxWindowBits: true }, `${OFFER}; client_max_window_bits`],
  ])('%j', (options, offer) => {
    expect(formatOffer(options)).toBe(offer)
  })
})

describe('readAnswer', () => {
  function read(answer: string, options: PerMessageDeflateOptions = TAKEOVER): DeflateParameters | string {
    return readAnswer(parseExtensions(answer), options)
  }

  const PLAIN: DeflateParameters = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 15,
  }

  test.each<[answer: string, options: PerMessageDeflateOptions, agreed: Partial<DeflateParameters>]>([
    ['', TAKEOVER, {}],
    ['; server_no_context_takeover', TAKEOVER, { serverNoContextTakeover: true }],
    ['; client_no_context_takeover', TAKEOVER, { clientNoContextTakeover: true }],
    ['; server_max_window_bits=8', TAKEOVER, { serverMaxWindowBits: 8 }],
    ['; server_max_window_bits=15', TAKEOVER, {}],
    ['; client_max_window_bits=9', TAKEOVER, { clientMaxWindowBits: 9 }],
    ['; client_max_window_bits=15', TAKEOVER, {}],
    ['; server_max_window_bits=12', SERVER_12, { serverMaxWindowBits: 12 }],
    ['; server_max_window_bits=11', SERVER_12, { serverMaxWindowBits: 11 }],
    ['; client_max_window_bits=11', CLIENT_12, { clientMaxWindowBits: 11 }],
    ['; client_max_window_bits=12', CLIENT_12, { clientMaxWindowBits: 12 }],
    // Section 7.1.2.2: a server may ignore the value of the hint; the client keeps to what it said.
    ['', CLIENT_12, { clientMaxWindowBits: 12 }],
    // Section 7.1.1.2: what the client said of its own messages holds without an echo.
    ['', { serverNoContextTakeover: false }, { clientNoContextTakeover: true }],
    ['; server_no_context_takeover', { clientNoContextTakeover: false }, { serverNoContextTakeover: true }],
    [
      '; server_no_context_takeover; client_no_context_takeover',
      {},
      { serverNoContextTakeover: true, clientNoContextTakeover: true },
    ],
    ['; client_max_window_bits=12', { ...TAKEOVER, clientMaxWindowBits: true }, { clientMaxWindowBits: 12 }],
    // Section 7.1: what the server ignores of the offer is accepted as it stands (F35, F50).
    ['', {}, { clientNoContextTakeover: true }],
    ['; server_max_window_bits=10', {}, { clientNoContextTakeover: true, serverMaxWindowBits: 10 }],
    ['', SERVER_12, {}],
    ['; server_max_window_bits=13', SERVER_12, { serverMaxWindowBits: 13 }],
  ])('%j, where %j was offered', (parameters, options, agreed) => {
    expect(read(`${OFFER}${parameters}`, options)).toEqual({ ...PLAIN, ...agreed })
  })

  test.each<[answer: string, options: PerMessageDeflateOptions, mistake: string]>([
    ['other', TAKEOVER, 'the server accepted an extension that was not offered'],
    ['Permessage-Deflate', TAKEOVER, 'the server accepted an extension that was not offered'],
    [`other, ${OFFER}`, TAKEOVER, 'the server accepted an extension that was not offered'],
    [`${OFFER}, other`, TAKEOVER, 'the server accepted more extensions than were offered'],
    [`${OFFER}, ${OFFER}`, TAKEOVER, 'the server accepted more extensions than were offered'],
    [`${OFFER}; client_max_window_bits`, TAKEOVER, 'client_max_window_bits has no value'],
    [`${OFFER}; client_max_window_bits=8`, TAKEOVER, 'zlib cannot compress with a window of 8 bits'],
    [
      `${OFFER}; client_max_window_bits=13`,
      CLIENT_12,
      'client_max_window_bits is larger than the offer allows',
    ],
    ...[
      'server_no_context_takeover=1',
      'client_no_context_takeover=1',
      'server_no_context_takeover; server_no_context_takeover',
      'server_max_window_bits',
      'server_max_window_bits=7',
      'server_max_window_bits=16',
      'server_max_window_bits=010',
      'client_max_window_bits=7',
      'client_max_window_bits=16',
      'client_max_window_bits=09',
      'client_max_window_bits=10; client_max_window_bits=10',
      'unknown',
      '__proto__',
    ].map((parameters): [string, PerMessageDeflateOptions, string] => [
      `${OFFER}; ${parameters}`,
      TAKEOVER,
      'a parameter of permessage-deflate is not valid',
    ]),
  ])('refuses %s, where %j was offered', (answer, options, mistake) => {
    expect(read(answer, options)).toBe(mistake)
  })

  test('returns no parameters for an answer without extensions', () => {
    expect(readAnswer([], {})).toBe('the server accepted an extension that was not offered')
  })
})

test('gives both ends the same parameters for any options', () => {
  const bits = fc.option(fc.integer({ min: 9, max: 15 }), { nil: undefined })
  const flag = fc.option(fc.boolean(), { nil: undefined })
  const options = fc
    .record({
      serverNoContextTakeover: flag,
      clientNoContextTakeover: flag,
      serverMaxWindowBits: bits,
      clientMaxWindowBits: bits,
    })
    .map((wishes) => Object.fromEntries(Object.entries(wishes).filter(([, wish]) => wish !== undefined)))
  fc.assert(
    fc.property(options, options, (server: PerMessageDeflateOptions, client: PerMessageDeflateOptions) => {
      const accepted = acceptOffer(parseExtensions(formatOffer(client)), server)
      const agreed = readAnswer(parseExtensions(accepted!.answer), client)
      // The client may hold itself to less than it was asked for: the server need not know.
      expect(agreed).toMatchObject({
        serverNoContextTakeover: accepted!.parameters.serverNoContextTakeover,
        clientNoContextTakeover: accepted!.parameters.clientNoContextTakeover,
        serverMaxWindowBits: accepted!.parameters.serverMaxWindowBits,
        clientMaxWindowBits: accepted!.parameters.clientMaxWindowBits,
      })
    }),
    { numRuns: runs(500) },
  )
})

describe('checkDeflateOptions', () => {
  test.each<PerMessageDeflateOptions>([
    {},
    { clientMaxWindowBits: true },
    { serverMaxWindowBits: 9, clientMaxWindowBits: 15, threshold: 0 },
    { serverMaxWindowBits: 15, clientMaxWindowBits: 9, threshold: 2 ** 40 },
    { zlibDeflateOptions: {} },
    { zlibDeflateOptions: { level: -1, memLevel: 1 } },
    { zlibDeflateOptions: { level: 9, memLevel: 9 } },
  ])('takes %j', (options) => {
    expect(checkDeflateOptions(options)).toEqual(options)
  })

  test('leaves out options that are null', () => {
    const options = {
      serverNoContextTakeover: null,
      serverMaxWindowBits: null,
      clientMaxWindowBits: null,
      threshold: 10,
      zlibDeflateOptions: { level: null, memLevel: 3 },
    } as unknown as PerMessageDeflateOptions
    expect(checkDeflateOptions(options)).toEqual({ threshold: 10, zlibDeflateOptions: { memLevel: 3 } })
    expect(checkDeflateOptions({ zlibDeflateOptions: null } as never)).toEqual({})
  })

  // Fault: undici CVE-2026-2229, where the RangeError came from zlib, and later.
  test.each<[PerMessageDeflateOptions, string]>([
    [{ serverMaxWindowBits: 8 }, 'serverMaxWindowBits must be an integer from 9 to 15; it is 8'],
    [{ serverMaxWindowBits: 16 }, 'serverMaxWindowBits must be an integer from 9 to 15; it is 16'],
    [{ serverMaxWindowBits: 9.5 }, 'serverMaxWindowBits must be an integer from 9 to 15; it is 9.5'],
    [{ clientMaxWindowBits: 8 }, 'clientMaxWindowBits must be an integer from 9 to 15; it is 8'],
    [{ clientMaxWindowBits: 16 }, 'clientMaxWindowBits must be an integer from 9 to 15; it is 16'],
    [{ threshold: -1 }, 'threshold must be an integer from 0 to 9007199254740991; it is -1'],
    [{ threshold: Number.NaN }, 'threshold must be an integer from 0 to 9007199254740991; it is NaN'],
    [
      { zlibDeflateOptions: { level: 10 } },
      'zlibDeflateOptions.level must be an integer from -1 to 9; it is 10',
    ],
    [
      { zlibDeflateOptions: { level: -2 } },
      'zlibDeflateOptions.level must be an integer from -1 to 9; it is -2',
    ],
    [
      { zlibDeflateOptions: { memLevel: 0 } },
      'zlibDeflateOptions.memLevel must be an integer from 1 to 9; it is 0',
    ],
    [
      { zlibDeflateOptions: { memLevel: 10 } },
      'zlibDeflateOptions.memLevel must be an integer from 1 to 9; it is 10',
    ],
  ])('refuses %j', (options, message) => {
    expect(() => {
      checkDeflateOptions(options)
    }).toThrow(new RangeError(`perMessageDeflate.${message}`))
  })
})
