import { once } from 'node:events'
import { Agent } from 'node:http'
import { connect as connectSocket } from 'node:net'
import { connect, WebSocket } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { runningServer } from '../support/running-server.js'
import { uncaught } from '../support/uncaught.js'

describe('a connecting socket', () => {
  test('throws from send(), ping() and pong(), and says what to do', async () => {
    const { url } = await runningServer()
    const socket = new WebSocket(url)
    const message = "WebSocket is not open: readyState 0 (CONNECTING). Wait for 'open', or use connect()"
    const callback = vi.fn()
    expect(() => socket.send('x', callback)).toThrow(message)
    expect(() => {
      socket.ping('x', callback)
    }).toThrow(message)
    expect(() => {
      socket.pong(callback)
    }).toThrow(message)
    await once(socket, 'open')
    expect(callback).not.toHaveBeenCalled()
    socket.terminate()
  })

  test('has empty properties, and ignores pause() and resume()', async () => {
    const { url } = await runningServer()
    const socket = new WebSocket(url)
    expect(socket.readyState).toBe(WebSocket.CONNECTING)
    expect(socket.bufferedAmount).toBe(0)
    expect(socket.latency).toBeUndefined()
    expect(socket.remoteAddress).toBeUndefined()
    expect([socket.protocol, socket.extensions]).toEqual(['', ''])
    expect(socket.params).toEqual({})
    // There are no messages to hold.
    socket.pause()
    expect(socket.isPaused).toBe(false)
    socket.resume()
    await once(socket, 'open')
    socket.terminate()
  })

  test('uses the option agent', async () => {
    const { url } = await runningServer()
    const agent = new Agent()
    const created = vi.spyOn(agent, 'createConnection')
    const socket = await connect(url, { agent })
    expect(created).toHaveBeenCalledTimes(1)
    socket.terminate()
    agent.destroy()
  })

  test('passes an IPv6 address without brackets to createConnection', async () => {
    const { port, next } = await runningServer()
    const hosts: unknown[] = []
    const socket = await connect(`ws://[::1]:8080/`, {
      createConnection: (options: { host?: unknown }) => {
        hosts.push(options.host)
        return connectSocket(port, '127.0.0.1')
      },
    })
    expect(hosts).toEqual(['::1'])
    expect((await next()).request.headers.host).toBe('[::1]:8080')
    socket.terminate()
  })

  test("closes with 1011 if a listener of 'open' throws", async () => {
    const escaped = uncaught()
    const { url, next } = await runningServer()
    const client = new WebSocket(url)
    const failure = new Error('in a listener')
    const errors = vi.fn()
    client.on('error', errors)
    client.on('open', () => {
      throw failure
    })
    const closed = closeOf(client)
    const { socket } = await next()
    expect(await closeOf(socket)).toMatchObject({ code: 1011, wasClean: true, initiator: 'remote' })
    expect(await closed).toMatchObject({ code: 1011, wasClean: true, initiator: 'local', cause: failure })
    expect(errors.mock.calls).toEqual([[failure]])
    expect(escaped).toEqual([])
  })
})
