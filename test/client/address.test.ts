import { describe, expect, test } from 'vitest'
import { parseAddress } from '#src/client/address.js'

describe('parseAddress()', () => {
  test.each([
    ['ws://host', 'ws://host/', false, '/'],
    ['wss://host:8443/path?q=1', 'wss://host:8443/path?q=1', true, '/path?q=1'],
    ['http://host/path', 'ws://host/path', false, '/path'],
    ['https://host', 'wss://host/', true, '/'],
    ['WS://HOST:80/a b', 'ws://host/a%20b', false, '/a%20b'],
    ['ws://[::1]:8000/', 'ws://[::1]:8000/', false, '/'],
  ])('%s', (text, href, isSecure, path) => {
    const address = parseAddress(text)
    expect(address).toMatchObject({ isSecure, path, socketPath: undefined })
    expect(address.url.href).toBe(href)
    expect(parseAddress(new URL(text)).url.href).toBe(href)
  })

  test.each([
    ['ws+unix:/run/app.sock', '/run/app.sock', '/'],
    ['ws+unix:/run/app.sock:/chat', '/run/app.sock', '/chat'],
    ['ws+unix:/run/app.sock:/chat/a:b?x=1:2', '/run/app.sock', '/chat/a:b?x=1:2'],
    ['ws+unix:/run/my%20app.sock:/a%20b', '/run/my app.sock', '/a%20b'],
    ['ws+unix:./app.sock:/chat', './app.sock', '/chat'],
  ])('%s', (text, socketPath, path) => {
    expect(parseAddress(text)).toMatchObject({ isSecure: false, socketPath, path })
  })

  test.each([
    ['host', 'Invalid URL: host'],
    ['', 'Invalid URL: '],
    ['ws://', 'Invalid URL: ws://'],
    ['ftp://host', "The URL's protocol must be ws:, wss:, http:, https: or ws+unix:; it is ftp:"],
    ['ws://host/#part', 'A WebSocket URL has no fragment: remove #part'],
    ['ws://host/#', 'A WebSocket URL has no fragment: remove #'],
    ['ws+unix:', 'A ws+unix: URL must name a socket: ws+unix:/path/to/socket:/path'],
    ['ws+unix::/path', 'A ws+unix: URL must name a socket: ws+unix:/path/to/socket:/path'],
  ])('throws a SyntaxError for %j', (text, message) => {
    expect(() => parseAddress(text)).toThrow(new SyntaxError(message))
  })

  test('resolves a relative URL against a base', () => {
    expect(parseAddress('../b', new URL('ws://host/x/a')).url.href).toBe('ws://host/b')
    expect(parseAddress('//other/b', new URL('wss://host/x/a')).url.href).toBe('wss://other/b')
  })
})
