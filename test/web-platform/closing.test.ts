import { once } from 'node:events'
import { WebSocket, type CloseEvent } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { openPair } from '../support/open-pair.js'
import { runningServer } from '../support/running-server.js'
import { thrownBy, webError } from '../support/web-error.js'

const WRONG_CODES = [0, 500, NaN, 'string', null, 2 ** 16 + 1000, 999, 1004, 1005, 1006, 1015, 2999, 5000]

describe('close-invalid.any.js, Close-1005.any.js, Close-2999-reason.any.js: close()', () => {
  test.each(WRONG_CODES)('throws an InvalidAccessError for %j at a client, open or not', async (code) => {
    const { client } = await openPair()
    const { url } = await runningServer()
    const connecting = new WebSocket(url)
    for (const socket of [client, connecting]) {
      const state = socket.readyState
      expect(thrownBy(() => socket.close(code as number))).toEqual(webError('InvalidAccessError'))
      expect(socket.readyState).toBe(state)
    }
    connecting.terminate()
  })

  test.each(WRONG_CODES)('throws a TypeError for %j at a server', async (code) => {
    const { socket } = await openPair()
    expect(thrownBy(() => socket.close(code as number))).toBeInstanceOf(TypeError)
    expect(socket.readyState).toBe(WebSocket.OPEN)
  })
})

describe('Close-Reason-124Bytes.any.js: close()', () => {
  test.each(['x'.repeat(124), 'ü'.repeat(62)])(
    'throws a SyntaxError at a client, and a RangeError at a server',
    async (reason) => {
      const { client, socket } = await openPair()
      expect(thrownBy(() => client.close(1000, reason))).toEqual(webError('SyntaxError'))
      expect(thrownBy(() => socket.close(1000, reason))).toBeInstanceOf(RangeError)
      expect([client.readyState, socket.readyState]).toEqual([WebSocket.OPEN, WebSocket.OPEN])
    },
  )
})

test.each([
  ['Close-1000.any.js', [1000], 1000, ''],
  ['Close-1000-reason.any.js', [1000, 'Clean Close'], 1000, 'Clean Close'],
  ['Close-3000-reason.any.js', [3000, 'Clean Close'], 3000, 'Clean Close'],
  ['Close-4999-reason.any.js', [4999, 'Clean Close'], 4999, 'Clean Close'],
  ['Close-undefined.any.js', [undefined], 1005, ''],
  ['Close-1005-verify-code.any.js', [], 1005, ''],
  ['Close-reason-unpaired-surrogates.any.js', [1000, '\uD807'], 1000, '\uFFFD'],
])('%s: emits a clean close event with code and reason', async (_file, values, code, reason) => {
  const { client } = await openPair()
  const event = new Promise<CloseEvent<WebSocket>>((resolve) => {
    client.onclose = resolve
  })
  expect(Reflect.apply(WebSocket.prototype.close, client, values)).toBeUndefined()
  expect(client.readyState).toBe(WebSocket.CLOSING)
  expect(await event).toMatchObject({ type: 'close', code, reason, wasClean: true })
})

test('Close-server-initiated-close.any.js: emits the same event if the server closes', async () => {
  const { client, socket } = await openPair()
  const event = new Promise<CloseEvent<WebSocket>>((resolve) => {
    client.onclose = resolve
  })
  socket.close(1001, 'PASS')
  expect(await event).toMatchObject({ code: 1001, reason: 'PASS', wasClean: true })
  expect(client.readyState).toBe(WebSocket.CLOSED)
})

test('close-multiple.html, close-nested.html: emits one close event, however often close() is called', async () => {
  const { client } = await openPair()
  const closes: unknown[] = []
  client.onclose = () => {
    closes.push(client.readyState)
    client.close()
  }
  client.close()
  client.close()
  await once(client, 'close')
  client.close()
  expect(closes).toEqual([WebSocket.CLOSED])
})

test('Send-before-open.any.js: throws an InvalidStateError from send() until the socket is open', async () => {
  const { url, next } = await runningServer()
  const client = new WebSocket(url)
  expect(thrownBy(() => client.send('x'))).toEqual(webError('InvalidStateError'))
  await next()
  if (client.readyState === WebSocket.CONNECTING) await once(client, 'open')
  expect(client.send('x')).toBe(true)
  client.close()
  expect(client.send('x')).toBe(false)
})
