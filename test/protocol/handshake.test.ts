import {
  acceptanceLines,
  acceptKey,
  generateKey,
  HandshakeError,
  joinLines,
  type Opening,
  type OpeningRequest,
  type OpeningResponse,
  readRequest,
  readResponse,
} from 'hubwire/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { refused, refusedByStatus } from '#src/protocol/handshake.js'
import { runs } from '../support/runs.js'

// RFC 6455 section 1.3.
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

type Fields = Record<string, string | undefined>

const REQUEST: Fields = {
  host: 'server.example.com',
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-key': KEY,
  'sec-websocket-version': '13',
}

/** A valid request but for these fields; `undefined` leaves one out. */
function request(fields: Fields = {}, parts: Partial<OpeningRequest> = {}): OpeningRequest {
  const entries = Object.entries({ ...REQUEST, ...fields }).filter((entry) => entry[1] !== undefined)
  const headers = Object.fromEntries(entries)
  return { method: 'GET', httpVersion: '1.1', headers, rawHeaders: entries.flat() as string[], ...parts }
}

function refusal(read: () => unknown): HandshakeError {
  try {
    read()
  } catch (error) {
    if (error instanceof HandshakeError) return error
    throw error
  }
  throw new Error('It was accepted')
}

describe('readRequest', () => {
  test('reads the example of RFC 6455 section 1.2', () => {
    const opening: Opening = readRequest(
      request({ origin: 'http://example.com', 'sec-websocket-protocol': 'chat, superchat' }),
    )
    expect(opening).toEqual({ key: KEY, protocols: new Set(['chat', 'superchat']), extensions: [] })
  })

  test.each<[string, Fields]>([
    ['WebSocket in capitals', { upgrade: 'WEBSOCKET' }],
    ['WebSocket among others', { upgrade: 'h2c, WebSocket' }],
    ["Firefox's Connection header", { connection: 'keep-alive, Upgrade' }],
    ['upgrade in small letters', { connection: 'upgrade,keep-alive' }],
    ['space around the names', { upgrade: ' websocket ', connection: '\tupgrade ' }],
    ['a port in Host', { host: '127.0.0.1:8000' }],
  ])('accepts %s', (_name, fields) => {
    expect(readRequest(request(fields)).key).toBe(KEY)
  })

  test('reads the extensions in order', () => {
    const fields = { 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits, foo' }
    expect(readRequest(request(fields)).extensions).toEqual([
      { name: 'permessage-deflate', parameters: [['client_max_window_bits', true]] },
      { name: 'foo', parameters: [] },
    ])
  })

  test.each<[string, Partial<OpeningRequest>, number, string, Record<string, string>?]>([
    ['POST', { method: 'POST' }, 405, 'The method must be GET', { Allow: 'GET' }],
    ['get in small letters', { method: 'get' }, 405, 'The method must be GET', { Allow: 'GET' }],
    ['no method', { method: undefined }, 405, 'The method must be GET', { Allow: 'GET' }],
    ['HTTP/1.0', { httpVersion: '1.0' }, 400, 'The request must be HTTP/1.1'],
    ['HTTP/2', { httpVersion: '2.0' }, 400, 'The request must be HTTP/1.1'],
  ])('refuses %s', (_name, parts, status, message, headers = {}) => {
    expect(refusal(() => readRequest(request({}, parts)))).toMatchObject({ status, message, headers })
  })

  test.each([
    ['host', undefined, 'The Host header is missing'],
    ['host', '', 'The Host header is missing'],
    ['upgrade', undefined, 'The Upgrade header must name websocket'],
    ['upgrade', '', 'The Upgrade header must name websocket'],
    ['upgrade', 'h2c', 'The Upgrade header must name websocket'],
    ['upgrade', 'websockets', 'The Upgrade header must name websocket'],
    ['upgrade', 'web socket', 'The Upgrade header must name websocket'],
    ['connection', undefined, 'The Connection header must name Upgrade'],
    ['connection', 'keep-alive', 'The Connection header must name Upgrade'],
    ['connection', 'not-upgrade', 'The Connection header must name Upgrade'],
    ['sec-websocket-key', undefined, 'The Sec-WebSocket-Key header must be 16 bytes in base64'],
    ['sec-websocket-key', '', 'The Sec-WebSocket-Key header must be 16 bytes in base64'],
    ['sec-websocket-protocol', '', 'Sec-WebSocket-Protocol is not a list of tokens'],
    ['sec-websocket-protocol', 'a b', 'Sec-WebSocket-Protocol is not a list of tokens'],
    ['sec-websocket-protocol', 'a, a', 'Sec-WebSocket-Protocol names a twice'],
    ['sec-websocket-extensions', '', 'Sec-WebSocket-Extensions is malformed at character 0'],
    ['sec-websocket-extensions', 'foo;', 'Sec-WebSocket-Extensions is malformed at character 4'],
  ])('refuses %s: %j with 400', (name, value, message) => {
    const error = refusal(() => readRequest(request({ [name]: value })))
    expect(error).toMatchObject({ name: 'HandshakeError', status: 400, message, headers: {} })
    expect(error.code).toBe('WS_ERR_INVALID_HANDSHAKE_REQUEST')
  })

  test.each([undefined, '', '8', '12', '14', '13, 13', '013', '13 ', 'x'])(
    'answers version %j with 426 and the supported version (RFC 6455 section 4.2.2)',
    (version) => {
      expect(refusal(() => readRequest(request({ 'sec-websocket-version': version })))).toMatchObject({
        status: 426,
        message: 'The Sec-WebSocket-Version header must be 13',
        headers: { Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' },
      })
    },
  )

  test.each([
    ['13 bytes', Buffer.alloc(13).toString('base64')],
    ['19 bytes', Buffer.alloc(19).toString('base64')],
    ['15 bytes', Buffer.alloc(15).toString('base64')],
    ['17 bytes', Buffer.alloc(17).toString('base64')],
    ['18 bytes, which take as many digits', Buffer.alloc(18).toString('base64')],
    ['no padding', KEY.slice(0, -2)],
    ['half the padding', `${KEY.slice(0, -2)}=A`],
    ['the digits of base64url', '-_-_-_-_-_-_-_-_-_-_-w=='],
    ['a space', `dGhlIHNhbXBsZSBub25j Q==`],
    ['two keys', `${KEY}, ${KEY}`],
    ['spare bits set', 'dGhlIHNhbXBsZSBub25jZR=='],
    ['no digits', '========================'],
    ['other letters', '\u00e9'.repeat(22) + '=='],
  ])('refuses a key of %s', (_name, key) => {
    expect(refusal(() => readRequest(request({ 'sec-websocket-key': key })))).toMatchObject({
      status: 400,
      message: 'The Sec-WebSocket-Key header must be 16 bytes in base64',
    })
  })

  test('accepts any 16 bytes as a key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const key = Buffer.from(bytes).toString('base64')
        expect(readRequest(request({ 'sec-websocket-key': key })).key).toBe(key)
      }),
    )
  })

  // Fault: daphne CVE-2026-44546.
  test.each([
    ['Host', 'host'],
    ['Sec-WebSocket-Key', 'sec-websocket-key'],
    ['sec-websocket-version', 'sec-websocket-version'],
    ['ORIGIN', 'origin'],
    ['Content-Length', 'content-length'],
  ])('refuses a second %s header', (written, name) => {
    const valid = request({ origin: 'http://example.com', 'content-length': '0' })
    const rawHeaders = [...valid.rawHeaders, 'X-Other', 'x', written, valid.headers[name] as string]
    expect(refusal(() => readRequest({ ...valid, rawHeaders }))).toMatchObject({
      status: 400,
      message: `The ${name} header is repeated`,
    })
  })

  test.each(['Connection', 'Upgrade', 'Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions', 'Cookie'])(
    'joins several %s headers',
    (name) => {
      const valid = request()
      expect(readRequest({ ...valid, rawHeaders: [...valid.rawHeaders, name, 'a', name, 'b'] }).key).toBe(KEY)
    },
  )

  // Fault: ws CVE-2024-37890. Beyond its limit Node drops headers, so that any may be missing.
  test('reads a request with 2,000 other headers in front', () => {
    const many = Array.from({ length: 2000 }, (_, index) => `x-${index}`)
    const headers = Object.fromEntries(many.map((name) => [name, 'x']))
    const rawHeaders = many.flatMap((name) => [name, 'x'])
    const error = refusal(() => readRequest({ method: 'GET', httpVersion: '1.1', headers, rawHeaders }))
    expect(error).toMatchObject({ status: 400, message: 'The Host header is missing' })
    expect(readRequest(request({ ...headers })).key).toBe(KEY)
  })

  test.each(Object.keys(REQUEST))('refuses a list of values for %s', (name) => {
    const headers = { ...request().headers, [name]: [REQUEST[name]!] }
    expect(refusal(() => readRequest({ ...request(), headers })).status).toBeGreaterThanOrEqual(400)
  })

  test.each([
    ['a 64 KiB list of extensions', { 'sec-websocket-extensions': 'foo,'.repeat(16_384) }],
    ['17 extensions', { 'sec-websocket-extensions': Array<string>(17).fill('foo').join() }],
    ['a 64 KiB list of subprotocols', { 'sec-websocket-protocol': 'foo,'.repeat(16_384) }],
  ])('answers %s with 431', (_name, fields) => {
    expect(refusal(() => readRequest(request(fields))).status).toBe(431)
  })

  test.each(['constructor', '__proto__', 'toString'])('treats %s as an ordinary name', (name) => {
    const fields = { 'sec-websocket-protocol': name, 'sec-websocket-extensions': `${name}; ${name}=${name}` }
    expect(readRequest(request(fields))).toEqual({
      key: KEY,
      protocols: new Set([name]),
      extensions: [{ name, parameters: [[name, name]] }],
    })
  })

  test('reads or refuses any values, and throws nothing but HandshakeError', () => {
    const value = fc.option(fc.string({ maxLength: 30, size: 'max' }), { nil: undefined })
    const fields = fc.record({
      host: value,
      upgrade: fc.oneof(value, fc.constant('websocket')),
      connection: fc.oneof(value, fc.constant('upgrade')),
      'sec-websocket-key': fc.oneof(value, fc.constant(KEY)),
      'sec-websocket-version': fc.oneof(value, fc.constant('13')),
      'sec-websocket-protocol': value,
      'sec-websocket-extensions': value,
    })
    fc.assert(
      fc.property(fields, (fields) => {
        try {
          readRequest(request(fields))
        } catch (error) {
          expect(error).toBeInstanceOf(HandshakeError)
        }
      }),
      { numRuns: runs(300) },
    )
  })
})

describe('keys', () => {
  test('acceptKey returns the key of the example in RFC 6455 section 1.3', () => {
    expect(acceptKey(KEY)).toBe(ACCEPT)
  })

  test('generateKey returns a different valid key each time', () => {
    const keys = Array.from({ length: 100 }, generateKey)
    for (const key of keys) expect(readRequest(request({ 'sec-websocket-key': key })).key).toBe(key)
    expect(new Set(keys).size).toBe(100)
  })
})

describe('acceptanceLines', () => {
  test('returns the answer of RFC 6455 section 1.3', () => {
    expect(acceptanceLines({ key: KEY })).toEqual([
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${ACCEPT}`,
    ])
  })

  test('includes the chosen subprotocol and extensions', () => {
    expect(acceptanceLines({ key: KEY, protocol: 'chat', extensions: 'foo; bar=1' }).slice(4)).toEqual([
      'Sec-WebSocket-Protocol: chat',
      'Sec-WebSocket-Extensions: foo; bar=1',
    ])
  })

  test.each(['a b', 'a\r\nX-Evil: 1', 'a,b', '\u00e9'])('refuses the subprotocol %j', (protocol) => {
    expect(() => acceptanceLines({ key: KEY, protocol })).toThrow(
      new TypeError(`The subprotocol ${JSON.stringify(protocol)} is not a token`),
    )
  })
})

describe('joinLines', () => {
  test('terminates each line and the header', () => {
    expect(joinLines(['HTTP/1.1 101 Switching Protocols', 'A: b\tc', 'D: \u00e9'])).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nA: b\tc\r\nD: \u00e9\r\n\r\n',
    )
  })

  // Fault: undici CVE-2026-1527. An empty line ends the header as surely as CRLF does.
  test.each(['A: b\r\nC: d', 'A: b\n', '\rA: b', 'A: \u0000', 'A: \u007f', 'A: \u0100', ''])(
    'refuses %j, which would break out of its line',
    (line) => {
      expect(() => joinLines(['HTTP/1.1 200 OK', line])).toThrow(TypeError)
    },
  )
})

describe('readResponse', () => {
  const RESPONSE: Fields = { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-accept': ACCEPT }

  function response(fields: Fields = {}, statusCode: number | undefined = 101): OpeningResponse {
    return { statusCode, headers: { ...RESPONSE, ...fields } }
  }

  function read(answer: OpeningResponse, ...protocols: string[]): ReturnType<typeof readResponse> {
    return readResponse(answer, { key: KEY, protocols: new Set(protocols) })
  }

  test('accepts what acceptanceLines returns', () => {
    const lines = acceptanceLines({ key: KEY, protocol: 'chat', extensions: 'foo; bar' })
    const headers = Object.fromEntries(
      lines.slice(1).map((line) => {
        const [name, value] = line.split(': ')
        return [name!.toLowerCase(), value!]
      }),
    )
    expect(read({ statusCode: 101, headers }, 'chat', 'superchat')).toEqual({
      protocol: 'chat',
      extensions: [{ name: 'foo', parameters: [['bar', true]] }],
    })
  })

  test.each<[string, Fields]>([
    ['names in any case', { upgrade: 'WebSocket', connection: 'UPGRADE' }],
    ['upgrade in a list', { connection: 'keep-alive, upgrade' }],
  ])('accepts %s', (_name, fields) => {
    expect(read(response(fields))).toEqual({ protocol: '', extensions: [] })
  })

  test.each<[string, Fields, string]>([
    ['no Upgrade', { upgrade: undefined }, 'Invalid Upgrade header: the server did not name websocket'],
    ['another Upgrade', { upgrade: 'h2c' }, 'Invalid Upgrade header: the server did not name websocket'],
    [
      'no Connection',
      { connection: undefined },
      'Invalid Connection header: the server did not name Upgrade',
    ],
    [
      'another Connection',
      { connection: 'close' },
      'Invalid Connection header: the server did not name Upgrade',
    ],
    [
      'no Accept',
      { 'sec-websocket-accept': undefined },
      'Invalid Sec-WebSocket-Accept header: it does not match the key',
    ],
    [
      'the Accept of another key',
      { 'sec-websocket-accept': acceptKey(generateKey()) },
      'Invalid Sec-WebSocket-Accept header: it does not match the key',
    ],
    [
      'the Accept in another case',
      { 'sec-websocket-accept': ACCEPT.toLowerCase() },
      'Invalid Sec-WebSocket-Accept header: it does not match the key',
    ],
    [
      'a subprotocol unasked',
      { 'sec-websocket-protocol': 'chat' },
      'Server sent a subprotocol but none was requested',
    ],
    [
      'malformed extensions',
      { 'sec-websocket-extensions': 'foo;' },
      'Invalid Sec-WebSocket-Extensions header: Sec-WebSocket-Extensions is malformed at character 4',
    ],
    [
      'a 64 KiB list of extensions',
      { 'sec-websocket-extensions': 'foo,'.repeat(16_384) },
      'Invalid Sec-WebSocket-Extensions header: Sec-WebSocket-Extensions is longer than 8192 characters',
    ],
  ])('refuses %s', (_name, fields, message) => {
    expect(refusal(() => read(response(fields)))).toMatchObject({ status: 101, message })
  })

  test.each([
    ['another subprotocol', 'other', 'Server sent an invalid subprotocol: it was not offered'],
    ['two subprotocols', 'chat, superchat', 'Server sent an invalid subprotocol: it was not offered'],
    ['the subprotocol in another case', 'Chat', 'Server sent an invalid subprotocol: it was not offered'],
    ['no subprotocol', undefined, 'Server sent no subprotocol, though some were offered'],
  ])('refuses %s where some were offered', (_name, protocol, message) => {
    const answer = response({ 'sec-websocket-protocol': protocol })
    expect(refusal(() => read(answer, 'chat', 'superchat'))).toMatchObject({ message })
  })

  test.each([200, 301, 401, 426, 500])('reports a status of %d', (status) => {
    expect(refusal(() => read(response({}, status)))).toMatchObject({
      status,
      message: `Unexpected server response: ${status}`,
    })
  })

  test('refuses an answer without a status', () => {
    expect(refusal(() => read({ headers: RESPONSE })).message).toBe('Unexpected server response: 0')
  })

  test('reports the headers of a refusal (N6)', () => {
    const headers = { 'retry-after': '5', 'set-cookie': ['a=1', 'b=2'], 'x-none': undefined }
    expect(refusal(() => read({ statusCode: 503, headers }))).toMatchObject({
      code: 'WS_ERR_HANDSHAKE_REFUSED',
      status: 503,
      headers: { 'retry-after': '5', 'set-cookie': 'a=1, b=2' },
      body: undefined,
    })
    expect(refused({ headers: {} })).toMatchObject({ status: 0, headers: {} })
  })

  test('has only the status in its message where asked', () => {
    const headers = { 'content-type': 'text/plain' }
    expect(refusedByStatus({ statusCode: 503, statusMessage: 'Busy', headers })).toMatchObject({
      status: 503,
      message: 'Unexpected server response: 503',
      headers,
    })
    expect(refusedByStatus({ headers: {} }).message).toBe('Unexpected server response: 0')
  })

  test('includes a body if it is given one (N6)', () => {
    const error = new HandshakeError(403, 'No', {}, { code: 'WS_ERR_HANDSHAKE_REFUSED', body: 'why' })
    expect(error.body).toBe('why')
  })

  test('ignores a header that is given as a list of values', () => {
    const headers = { ...RESPONSE, 'sec-websocket-accept': [ACCEPT, ACCEPT] }
    expect(refusal(() => read({ statusCode: 101, headers })).message).toMatch(/^Invalid Sec-WebSocket-Accept/)
  })
})
