import { once } from 'node:events'
import { connect, WebSocket } from 'hubwire'
import { expect, test } from 'vitest'
import { runningServer } from '../support/running-server.js'
import { thrownBy, webError } from '../support/web-error.js'

const NOWHERE = 'ws://127.0.0.1:1'

test('constructor/001.html: throws a TypeError without a URL', () => {
  expect(() => void Reflect.construct(WebSocket, [])).toThrow(TypeError)
  expect(() => void Reflect.apply(WebSocket as never, undefined, [NOWHERE])).toThrow(TypeError)
})

test.each([
  'ws://foo bar.com/',
  'wss://foo bar.com/',
  'ftp://localhost/',
  'mailto:example@example.org',
  'about:blank',
  'http://localhost/#',
  'ws://localhost/#',
  'ws://localhost/#test',
  '#test',
  '/relative',
  '',
])('Create-invalid-urls.any.js, Create-wrong-scheme.any.js: throws a SyntaxError for %j', async (url) => {
  expect(thrownBy(() => new WebSocket(url))).toEqual(webError('SyntaxError'))
  await expect(connect(url)).rejects.toEqual(webError('SyntaxError'))
})

const NOT_TOKENS = Array.from({ length: 0x100 }, (_, code) => code)
  .filter((code) => code < 0x21 || code > 0x7e)
  .map((code) => `a${String.fromCharCode(code)}b`)

test.each([
  ['constructor/004.html', ['', ...NOT_TOKENS]],
  ['constructor/021.html', [['foobar, foobar']]],
  [
    'Create-asciiSep-protocol-string.any.js',
    Array.from('()<>@,;:\\"/[]?={} \t', (separator) => `a${separator}b`),
  ],
  ['Create-protocols-repeated.any.js', [['echo', 'echo']]],
  ['Create-protocols-repeated-case-insensitive.any.js', [['echo', 'eCho'], new Set(['echo', 'ECHO'])]],
])('%s: throws a SyntaxError for these subprotocols', (_file, values) => {
  expect(values).not.toEqual([])
  for (const value of values) {
    expect(thrownBy(() => new WebSocket(NOWHERE, value))).toEqual(webError('SyntaxError'))
  }
})

test.each([
  ['Create-valid-url-protocol-string.any.js: a string', 'echo', ['echo']],
  ['Create-valid-url-array-protocols.any.js: an array', ['echo', 'chat'], ['echo', 'chat']],
  ['a Set', new Set(['echo', 'chat']), ['echo', 'chat']],
  ['any iterable', new Map([['echo', 1]]).keys(), ['echo']],
  ['values that are made strings', [1, true], ['1', 'true']],
])('offers the subprotocols of %s', async (_name, protocols, expected) => {
  const { url, next } = await runningServer()
  const client = new WebSocket(url, protocols as string[])
  const { request } = await next()
  expect(request.headers['sec-websocket-protocol']).toBe(expected.join(', '))
  client.terminate()
})

test('constructor.any.js: accepts options in place of subprotocols or after them', async () => {
  const { url, next } = await runningServer()
  for (const values of [
    [{ headers: { 'x-name': 'value' } }],
    [[], { headers: { 'x-name': 'value' } }],
    [null, { headers: { 'x-name': 'value' } }],
  ]) {
    const client = Reflect.construct(WebSocket, [url, ...values]) as WebSocket
    const { request } = await next()
    expect(request.headers['x-name']).toBe('value')
    client.terminate()
  }
})

test.each([
  ['Create-http-urls.any.js', (port: number) => `http://127.0.0.1:${port}/`],
  ['constructor/019.html: an upper-case scheme', (port: number) => `WS://127.0.0.1:${port}/`],
  ['constructor/020.html: an upper-case host', (port: number) => `ws://LOCALHOST:${port}/`],
  ['a URL', (port: number) => new URL(`ws://127.0.0.1:${port}`)],
  [
    'constructor/006.html: what has a string form',
    (port: number) => ({ toString: () => `ws://127.0.0.1:${port}` }),
  ],
])('%s: connects, and normalizes `url`', async (_name, address) => {
  const { port } = await runningServer()
  const client = new WebSocket(address(port) as string)
  expect(client.url).toMatch(new RegExp(`^ws://(127\\.0\\.0\\.1|localhost):${port}/$`))
  await once(client, 'open')
  client.terminate()
})
