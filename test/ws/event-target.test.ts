import { once } from 'node:events'
import { WebSocket } from 'hubwire/ws'
import { describe, expect, test, vi } from 'vitest'
import { open } from './open.js'

/** A socket that emits what a test tells it to. */
const plain = (): WebSocket => new WebSocket(null)

describe('a listener of addEventListener', () => {
  test('is called among those of the emitter, in the order in which they were added', () => {
    const socket = plain()
    const calls: string[] = []
    socket.on('message', () => calls.push('first'))
    socket.addEventListener('message', ({ data }) => calls.push(data as string))
    socket.on('message', () => calls.push('third'))
    socket.emit('message', Buffer.from('second'), false)
    expect(calls).toEqual(['first', 'second', 'third'])
  })

  test('is called with the socket as this, and once for each event even if it was added twice', () => {
    const socket = plain()
    const listener = vi.fn(function (this: unknown) {
      expect(this).toBe(socket)
    })
    socket.addEventListener('open', listener)
    socket.addEventListener('open', listener)
    socket.emit('open')
    expect(listener).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ type: 'open', target: socket }),
    )
  })

  test('can be an object with handleEvent', () => {
    const socket = plain()
    const listener = { handleEvent: vi.fn() }
    socket.addEventListener('close', listener)
    socket.emit('close', 4000, Buffer.from('bye'))
    socket.removeEventListener('close', listener)
    socket.emit('close', 4001, Buffer.alloc(0))
    expect(listener.handleEvent).toHaveBeenCalledTimes(1)
    expect(listener.handleEvent.mock.calls[0]![0]).toMatchObject({
      code: 4000,
      reason: 'bye',
      wasClean: false,
    })
  })

  test('is removed after its first event if added with once, and by removeEventListener', () => {
    const socket = plain()
    const listener = vi.fn()
    socket.addEventListener('message', listener, { once: true })
    socket.emit('message', Buffer.from('1'), false)
    socket.emit('message', Buffer.from('2'), false)
    expect(listener).toHaveBeenCalledTimes(1)
    socket.addEventListener('message', listener, { once: true })
    socket.removeEventListener('message', listener)
    socket.emit('message', Buffer.from('3'), false)
    expect(listener).toHaveBeenCalledTimes(1)
  })

  test.each([
    ['another event', 'ping', () => undefined],
    ['null', 'message', null],
    ['a string', 'message', 'listener'],
  ])('is ignored: %s', (_name, type, listener) => {
    const socket = plain()
    socket.addEventListener(type as 'message', listener as never)
    expect(socket.listenerCount(type)).toBe(0)
  })

  test('is not removed when others are removed', () => {
    const socket = plain()
    const listener = vi.fn()
    socket.addEventListener('message', listener)
    socket.removeEventListener('message', () => undefined)
    socket.removeEventListener('open', listener)
    socket.emit('message', Buffer.alloc(0), true)
    expect(listener).toHaveBeenCalledTimes(1)
  })
})

describe('the attribute of an event', () => {
  test.each(['open', 'message', 'close', 'error'] as const)('on%s holds one function', (type) => {
    const socket = plain()
    expect(socket[`on${type}`]).toBeNull()
    const [first, second] = [vi.fn(), vi.fn()]
    socket[`on${type}`] = first
    socket[`on${type}`] = second
    expect(socket[`on${type}`]).toBe(second)
    socket.emit(type, new Error('of the test'), Buffer.alloc(0))
    expect([first.mock.calls.length, second.mock.calls.length]).toEqual([0, 1])
    socket[`on${type}`] = null
    expect([socket[`on${type}`], socket.listenerCount(type)]).toEqual([null, 0])
  })

  test('is independent of the same function added as a listener', () => {
    const socket = plain()
    const listener = vi.fn()
    socket.addEventListener('open', listener)
    socket.onopen = listener
    socket.emit('open')
    expect(listener).toHaveBeenCalledTimes(2)
    socket.removeEventListener('open', listener)
    socket.emit('open')
    expect(listener).toHaveBeenCalledTimes(3)
    expect(socket.onopen).toBe(listener)
  })
})

test("passes the error and its message to 'error' listeners", async () => {
  const { client, accepted } = await open()
  const error = new Promise((resolve) => {
    accepted.onerror = (event) => {
      resolve({ type: event.type, message: event.message, error: event.error as unknown })
    }
  })
  const end = once(client, 'close')
  client.send('not masked', { mask: false })
  expect(await error).toEqual({
    type: 'error',
    message: 'A client must mask its frames',
    error: expect.objectContaining({ code: 'WS_ERR_EXPECTED_MASK' }) as unknown,
  })
  await end
})
