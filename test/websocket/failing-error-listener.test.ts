import { WebSocket } from 'hubwire'
import { expect, onTestFinished, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { openPair } from '../support/open-pair.js'

test("emits a process warning for an async 'error' listener that rejects, and calls it once", async () => {
  const { client, socket } = await openPair()
  const listener = vi.fn(() => Promise.reject(new Error('of the listener')))
  const warnings: string[] = []
  const collect = (warning: Error): void => {
    if (warning.name === 'HubwireWarning') warnings.push(warning.message)
  }
  process.on('warning', collect)
  onTestFinished(() => {
    process.off('warning', collect)
  })
  // A loop would starve the event loop, and with it this test's own timeout.
  socket.on('error', () => (listener.mock.calls.length > 10 ? undefined : listener()))
  socket.on('message', () => Promise.reject(new Error('of the application')))
  const closed = closeOf(client)
  client.send('anything')
  expect(await closed).toMatchObject({ code: 1011 })
  await settled()
  expect(warnings).toEqual(['A handler failed: of the application', 'A handler failed: of the listener'])
  expect(listener).toHaveBeenCalledTimes(1)
  expect(client.readyState).toBe(WebSocket.CLOSED)
})
