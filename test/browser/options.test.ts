import { WebSocket } from 'hubwire'
import { type ReconnectingOptions, ReconnectingWebSocket, webSocketUrl } from 'hubwire/browser'
import { expect, test } from 'vitest'

const make =
  (options: ReconnectingOptions, url = 'ws://127.0.0.1:1') =>
  () =>
    new ReconnectingWebSocket(url, { WebSocket, ...options })

test.each<[string, ReconnectingOptions]>([
  ['delay.min', { delay: { min: -1 } }],
  ['delay.max', { delay: { min: 10, max: 9 } }],
  ['delay.first', { delay: { first: NaN } }],
  ['connectTimeout', { connectTimeout: 0 }],
  ['stableAfter', { stableAfter: 2 ** 31 }],
  ['ping.interval', { ping: { interval: 0 } }],
  ['ping.timeout', { ping: { timeout: Infinity } }],
  ['queue', { queue: -1 }],
])('throws for %s out of its range', (name, options) => {
  expect(make(options)).toThrow(RangeError)
  expect(make(options)).toThrow(`${name} must be a number from`)
})

test.each(['/relative', 'ftp://host/', 'localhost:8000'])('throws for the URL %s without a page', (url) => {
  expect(make({}, url)).toThrow(TypeError)
})

test('names no token in the error of a URL', () => {
  expect(make({}, 'ftp://host/?token=secret')).toThrow(/^Not a WebSocket URL: ftp:\/\/host\/\?…\. /)
})

test('webSocketUrl() takes the variable, or the fallback where there is no page', () => {
  expect(webSocketUrl('https://a.example/b//', 'ws://fallback')).toBe('wss://a.example/b')
  expect(webSocketUrl('', 'http://fallback/')).toBe('ws://fallback')
  expect(() => webSocketUrl(null, 'fallback:8000')).toThrow(TypeError)
})
