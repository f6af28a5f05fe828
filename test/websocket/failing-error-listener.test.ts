import { once } from 'node:events'
import { WebSocket } from 'hubwire'
import { expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { openPair } from '../support/open-pair.js'

test("an async listener for 'error' that fails itself is heard once, and then is a warning", async () => {
  const { client, socket } = await openPair()
  const listener = vi.fn(() => Promise.reject(new Error('of the listener')))
  // A loop would starve the event loop, and with it this test's own timeout.
  socket.on('error', () => (listener.mock.calls.length > 10 ? undefined : listener()))
  socket.on('message', () => Promise.reject(new Error('of the application')))
  const warned = once(process, 'warning') as Promise<[Error]>
  const closed = closeOf(client)
  client.send('anything')
  expect((await warned)[0].message).toBe('of the listener')
  expect(await closed).toMatchObject({ code: 1011 })
  expect(listener).toHaveBeenCalledTimes(1)
  expect(client.readyState).toBe(WebSocket.CLOSED)
})
