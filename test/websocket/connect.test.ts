import { once } from 'node:events'
import { connect, HandshakeError, WebSocket } from 'hubwire'
import { expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { runningServer } from '../support/running-server.js'
import { acceptance, scriptedServer } from '../support/scripted-server.js'
import { webError } from '../support/web-error.js'

test('resolves to the open socket', async () => {
  const { url } = await runningServer()
  const socket = await connect(url)
  expect(socket).toBeInstanceOf(WebSocket)
  expect(socket.readyState).toBe(WebSocket.OPEN)
  const closed = closeOf(socket)
  socket.close()
  await closed
})

test('accepts subprotocols and options, or options alone', async () => {
  const { url } = await runningServer({ handleProtocols: () => 'b', perMessageDeflate: true })
  const one = await connect(url, ['a', 'b'], { perMessageDeflate: true })
  expect([one.protocol, one.extensions]).toEqual(['b', 'permessage-deflate'])
  const other = await connect(url, { perMessageDeflate: true })
  expect([other.protocol, other.extensions]).toEqual(['', 'permessage-deflate'])
  const third = await connect(url, 'b')
  expect([third.protocol, third.extensions]).toEqual(['b', ''])
  for (const socket of [one, other, third]) socket.terminate()
})

test('rejects with the cause', async () => {
  const { url } = await scriptedServer((_request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'))
  const failure = connect(url)
  await expect(failure).rejects.toBeInstanceOf(HandshakeError)
  await expect(failure).rejects.toMatchObject({ status: 403, message: '403 Forbidden' })
})

test('rejects if the constructor throws', async () => {
  await expect(connect('nowhere')).rejects.toEqual(webError('SyntaxError'))
  await expect(connect('ws://127.0.0.1:1', { maxPayload: -1 })).rejects.toThrow(RangeError)
})

test('rejects with the reason of an aborted signal', async () => {
  const { url } = await scriptedServer(() => {})
  const controller = new AbortController()
  const failure = connect(url, { signal: controller.signal })
  controller.abort()
  await expect(failure).rejects.toMatchObject({ name: 'AbortError' })
})

test('keeps messages that arrive with the answer for a listener that is added at once', async () => {
  const { url } = await scriptedServer((request, socket) => {
    socket.write(
      Buffer.concat([Buffer.from(acceptance(request)), Buffer.from([0x81, 1, 0x61, 0x81, 1, 0x62])]),
    )
  })
  const socket = await connect(url)
  expect(await once(socket, 'message')).toEqual(['a', false])

  const second = await connect(url)
  const messages: unknown[] = []
  for await (const message of second) {
    messages.push(message)
    if (messages.length === 2) break
  }
  expect(messages).toEqual(['a', 'b'])

  // With pause() they wait longer.
  const third = await connect(url)
  third.pause()
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  third.resume()
  expect(await once(third, 'message')).toEqual(['a', false])
  for (const open of [socket, second, third]) open.terminate()
})
