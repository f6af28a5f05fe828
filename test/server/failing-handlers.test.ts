import { once } from 'node:events'
import { connect, routes, type WebSocket, type WebSocketServer } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { endWithTest, runningServer } from '../support/running-server.js'
import { uncaught } from '../support/uncaught.js'
import { warningWith } from '../support/warning.js'

const failure = new Error('a bug')

function raise(): never {
  throw failure
}

describe("emits 'error' at the server, with the socket, for a handler", () => {
  test.each<[string, (server: WebSocketServer, socket: WebSocket<undefined>) => unknown]>([
    ["throws in 'connection'", raise],
    ["rejects in 'connection'", () => Promise.reject(failure)],
  ])('that %s', async (_name, listener) => {
    const lost = uncaught()
    const { server, url } = await runningServer()
    server.on('connection', (socket) => listener(server, socket))
    const failed = once(server, 'error') as Promise<[Error, WebSocket<undefined>]>
    const client = await connect(url)
    const [error, socket] = await failed
    expect(error).toBe(failure)
    expect([...server.clients]).toEqual([socket])
    expect(await closeOf(client)).toMatchObject({ code: 1011 })
    expect(server.stats().failedHandlers).toBe(1)
    expect(lost).toEqual([])
  })

  test.each<[string, () => void | Promise<void>]>([
    ['throws', raise],
    ['rejects', () => Promise.reject(failure)],
  ])('that %s in a route (N2)', async (_name, handler) => {
    const server = routes({ '/': handler }, { port: 0, host: '127.0.0.1' })
    endWithTest(server)
    await once(server, 'listening')
    const failed = once(server, 'error') as Promise<[Error, WebSocket<undefined>]>
    const { port } = server.address() as { port: number }
    const client = await connect(`ws://127.0.0.1:${port}`)
    expect((await failed)[0]).toBe(failure)
    expect(await closeOf(client)).toMatchObject({ code: 1011 })
    expect(server.stats().failedHandlers).toBe(1)
  })
})

test("emits a process warning with the stack if 'error' has no listener", async () => {
  const { server, url } = await runningServer()
  server.on('connection', raise)
  const warned = warningWith('failing-handlers.test')
  const client = await connect(url)
  expect(await closeOf(client)).toMatchObject({ code: 1011 })
  const warning = await warned
  expect(warning).toMatchObject({ name: 'HubwireWarning', code: 'HUBWIRE_HANDLER_FAILED' })
  expect(warning.message).toContain('a bug')
  expect(warning.detail).toContain('failing-handlers.test')
})

test("emits a process warning if an 'error' listener throws, and does not call it again", async () => {
  const lost = uncaught()
  const { server, url } = await runningServer()
  server.on('connection', raise)
  const listener = vi.fn(() => {
    throw new Error('a bug of the error listener')
  })
  server.on('error', listener)
  const warned = warningWith('a bug of the error listener')
  const client = await connect(url)
  expect(await closeOf(client)).toMatchObject({ code: 1011 })
  expect((await warned).message).toContain('a bug of the error listener')
  expect(listener).toHaveBeenCalledTimes(1)
  expect(lost).toEqual([])
})
