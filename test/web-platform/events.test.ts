import { once } from 'node:events'
import { WebSocket } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { openPair } from '../support/open-pair.js'
import { runningServer } from '../support/running-server.js'

const TYPES = ['open', 'message', 'close', 'error'] as const

describe('interfaces/WebSocket/events', () => {
  test.each(TYPES)(
    '001 to 014.html, eventhandlers.any.js: on%s accepts functions and objects',
    async (type) => {
      const { client } = await openPair()
      const name = `on${type}`
      const set = (value: unknown): unknown => {
        Reflect.set(client, name, value)
        return Reflect.get(client, name)
      }
      expect(name in client).toBe(true)
      expect(Reflect.get(client, name)).toBeNull()
      const object = { handleEvent: vi.fn() }
      for (const value of [() => {}, object]) expect(set(value)).toBe(value)
      client.dispatchEvent(new Event(type))
      expect(object.handleEvent).not.toHaveBeenCalled()
      for (const value of [2, ';', undefined, null]) expect(set(value)).toBeNull()
    },
  )

  test('016.html: calls listeners and attributes in the order in which they were added', async () => {
    const { client, socket } = await openPair()
    const order: string[] = []
    client.addEventListener('message', () => order.push('first'), false)
    client.onmessage = () => void order.push('attribute')
    client.addEventListener('message', () => order.push('last'), true)
    socket.send('x')
    await once(client, 'message')
    expect(order).toEqual(['first', 'attribute', 'last'])
  })

  test('017 and 018.html: has events with their socket as the target and of their class', async () => {
    const { url, next } = await runningServer()
    const client = new WebSocket(url)
    const events: unknown[] = []
    for (const type of TYPES) {
      client.addEventListener(type, function (this: unknown, event: Event) {
        const isOurs = this === client && event.target === client && event.currentTarget === client
        const flags = [event.bubbles, event.cancelable, event.eventPhase]
        events.push([event.type, Object.prototype.toString.call(event), isOurs, ...flags])
      })
    }
    const { socket } = await next()
    const closed = closeOf(client)
    socket.send('text')
    if (client.readyState !== WebSocket.OPEN) await once(client, 'open')
    client.emit('error', new Error('an error'))
    socket.close()
    await closed
    expect(new Set(events)).toEqual(
      new Set([
        ['open', '[object Event]', true, false, false, 2],
        ['message', '[object MessageEvent]', true, false, false, 2],
        ['error', '[object Event]', true, false, false, 2],
        ['close', '[object CloseEvent]', true, false, false, 2],
      ]),
    )
    expect(events).toHaveLength(4)
  })

  test('019.html: does not call removed listeners', async () => {
    const { client } = await openPair()
    const listener = vi.fn()
    for (const type of TYPES) {
      client.addEventListener(type, listener)
      client.removeEventListener(type, listener)
      client.dispatchEvent(new Event(type))
    }
    expect(listener).not.toHaveBeenCalled()
  })

  test('sets the origin of the server in a MessageEvent', async () => {
    const { client, socket, running } = await openPair()
    const event = new Promise<unknown>((resolve) => {
      client.onmessage = resolve
    })
    socket.send('x')
    expect(await event).toMatchObject({ data: 'x', origin: running.url, lastEventId: '' })
  })

  test('removes a listener when its signal is aborted', async () => {
    const { client } = await openPair()
    const controller = new AbortController()
    const listener = vi.fn()
    client.addEventListener('message', listener, { signal: controller.signal })
    client.dispatchEvent(new Event('message'))
    controller.abort()
    client.dispatchEvent(new Event('message'))
    expect(listener).toHaveBeenCalledOnce()
  })

  test('removes the listeners of both interfaces with removeAllListeners()', async () => {
    const { client } = await openPair()
    const listener = vi.fn()
    for (const args of [[], ['message']]) {
      client.addEventListener('message', listener)
      client.onmessage = listener
      client.on('message', listener)
      Reflect.apply(WebSocket.prototype.removeAllListeners, client, args)
      client.emit('message', 'x', false)
      client.dispatchEvent(new Event('message'))
      expect(client.onmessage).toBeNull()
    }
    client.removeAllListeners(Symbol('another event'))
    expect(listener).not.toHaveBeenCalled()
  })
})

describe('a listener that throws', () => {
  test('does not prevent others from being called, and then closes with 1011', async () => {
    const { client, socket, running } = await openPair()
    const failures: unknown[] = []
    running.server.on('error', (error) => failures.push(error))
    const [first, second] = [new Error('first'), new Error('second')]
    const states: unknown[] = []
    socket.addEventListener('message', () => {
      throw first
    })
    socket.onmessage = () => {
      throw second
    }
    socket.addEventListener('message', () => states.push(socket.readyState))
    const closed = closeOf(client)
    client.send('x')
    expect(await closed).toMatchObject({ code: 1011, wasClean: true })
    expect(states).toEqual([WebSocket.OPEN])
    expect(failures).toEqual([first, second])
  })

  test('does the same in dispatchEvent()', async () => {
    const { client, socket, running } = await openPair()
    const failures: unknown[] = []
    running.server.on('error', (error) => failures.push(error))
    const failure = new Error('in a listener')
    socket.addEventListener('custom', () => {
      throw failure
    })
    const closed = closeOf(client)
    expect(socket.dispatchEvent(new Event('custom'))).toBe(true)
    expect(await closed).toMatchObject({ code: 1011 })
    expect(failures).toEqual([failure])
  })
})

describe('binaryType-wrong-value.any.js', () => {
  test.each(['notBlobOrArrayBuffer', '', undefined, null, 0])('ignores %j', async (value) => {
    const { client } = await openPair()
    for (const type of ['blob', 'arraybuffer', 'nodebuffer'] as const) {
      client.binaryType = type
      client.binaryType = value as never
      expect(client.binaryType).toBe(type)
    }
  })
})
