import { WebSocket } from 'hubwire'
import { type ReconnectingOptions, ReconnectingWebSocket, webSocketUrl } from 'hubwire/browser'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { FakeWebSocket } from '../support/fake-web-socket.js'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

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

test('does not include the query of a URL in its error', () => {
  expect(make({}, 'ftp://host/?token=secret')).toThrow(/^Not a WebSocket URL: ftp:\/\/host\/\?…\. /)
})

test('webSocketUrl() uses the variable, or the fallback outside a page', () => {
  expect(webSocketUrl('https://a.example/b//', 'ws://fallback')).toBe('wss://a.example/b')
  expect(webSocketUrl('', 'http://fallback/')).toBe('ws://fallback')
  expect(() => webSocketUrl(null, 'fallback:8000')).toThrow(TypeError)
})

test('throws an error that names the option WebSocket if there is no global class', () => {
  vi.stubGlobal('WebSocket', undefined)
  expect(() => new ReconnectingWebSocket('ws://127.0.0.1:1')).toThrow(
    new TypeError('There is no global WebSocket here: give a class as the option WebSocket'),
  )
})

test.each([undefined, null])('uses the defaults and the global class for %s', async (nothing) => {
  vi.stubGlobal('WebSocket', FakeWebSocket)
  FakeWebSocket.made = []
  const lines = vi.spyOn(console, 'warn').mockReturnValue()
  const socket = new ReconnectingWebSocket('ws://server', {
    delay: nothing,
    log: nothing,
    ping: nothing,
    protocols: nothing,
    queue: nothing,
    shouldReconnect: nothing,
  } as ReconnectingOptions)
  await vi.waitFor(() => {
    FakeWebSocket.last.lose()
  })
  expect(lines.mock.calls).toEqual([['hubwire: no connection: 1006 failed; trying again']])
  socket.close()
})

describe('in a page', () => {
  test.each([
    ['http://host:8080/app/', '/ws', 'ws://host:8080/ws'],
    ['https://host/app/', 'ws?a=b#c', 'wss://host/app/ws?a=b'],
    ['blob:https://host/0b1c', '/ws', 'wss://host/ws'],
  ])('at %s the URL %s is %s', async (href, given, url) => {
    vi.stubGlobal('location', { href, origin: new URL(href).origin })
    FakeWebSocket.made = []
    const socket = new ReconnectingWebSocket(given, { WebSocket: FakeWebSocket })
    await vi.waitFor(() => {
      expect(FakeWebSocket.last.url).toBe(url)
    })
    socket.close()
  })

  test.each([
    ['https://host/app/', 'wss://host'],
    ['file:///index.html', 'ws://fallback'],
  ])('at %s webSocketUrl() returns %s', (href, url) => {
    vi.stubGlobal('location', { href, origin: new URL(href).origin })
    expect(webSocketUrl(undefined, 'ws://fallback')).toBe(url)
  })
})
