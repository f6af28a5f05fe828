import { EventEmitter } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { addListener, getAttribute, removeListener, setAttribute } from '#src/websocket/event-target.js'

function emitter(binaryType = 'nodebuffer') {
  return Object.assign(new EventEmitter({ captureRejections: true }), { binaryType })
}

const details = { wasClean: true, initiator: 'remote', cause: undefined }

describe('listeners', () => {
  test('get one event each, with the emitter as its target and as `this`', () => {
    const target = emitter()
    const events: unknown[] = []
    for (const type of ['open', 'message', 'close', 'error'] as const) {
      addListener(target, type, function (this: unknown, event: unknown) {
        expect(this).toBe(target)
        events.push(event)
      })
    }
    const failure = new Error('failure')
    target.emit('open')
    target.emit('message', 'text', false)
    target.emit('close', 4000, 'reason', details)
    target.emit('error', failure)
    expect(events).toEqual([
      { type: 'open', target },
      { type: 'message', target, data: 'text' },
      { type: 'close', target, code: 4000, reason: 'reason', ...details },
      { type: 'error', target, error: failure, message: 'failure' },
    ])
  })

  test('and those of the emitter are called in the order in which they were added', () => {
    const target = emitter()
    const order: string[] = []
    target.on('message', () => order.push('on'))
    addListener(target, 'message', () => order.push('addEventListener'))
    setAttribute(target, 'message', () => order.push('onmessage'))
    target.on('message', () => order.push('on again'))
    target.emit('message', 'x', false)
    expect(order).toEqual(['on', 'addEventListener', 'onmessage', 'on again'])
  })

  test('may be objects with handleEvent, which is looked up at each event', () => {
    const target = emitter()
    const listener = { handleEvent: vi.fn() }
    addListener(target, 'open', listener)
    target.emit('open')
    const other = vi.fn()
    listener.handleEvent = other
    target.emit('open')
    expect(other).toHaveBeenCalledExactlyOnceWith({ type: 'open', target })
  })

  test('are there once for each type, and are removed by it', () => {
    const target = emitter()
    const listener = vi.fn()
    addListener(target, 'open', listener)
    addListener(target, 'open', listener)
    addListener(target, 'close', listener)
    expect(target.listenerCount('open')).toBe(1)
    removeListener(target, 'open', listener)
    removeListener(target, 'open', listener)
    removeListener(target, 'open', () => {})
    expect([target.listenerCount('open'), target.listenerCount('close')]).toEqual([0, 1])
    target.emit('open')
    expect(listener).not.toHaveBeenCalled()
  })

  test('with `once` are removed before they are called', () => {
    const target = emitter()
    let called = 0
    addListener(
      target,
      'open',
      () => {
        called++
        if (called < 3) target.emit('open')
      },
      { once: true },
    )
    target.emit('open')
    target.emit('open')
    expect(called).toBe(1)
    expect(target.listenerCount('open')).toBe(0)
  })

  test('that are async have their rejection caught by the emitter', async () => {
    const target = emitter()
    const caught = new Promise((resolve) => target.on('error', resolve))
    addListener(target, 'open', () => Promise.reject(new Error('from a listener')))
    target.emit('open')
    expect(await caught).toEqual(new Error('from a listener'))
  })
})

describe('attributes', () => {
  test('hold one listener, which another replaces and null removes', () => {
    const target = emitter()
    const [one, other] = [vi.fn(), vi.fn()]
    expect(getAttribute(target, 'message')).toBeNull()
    setAttribute(target, 'message', one)
    setAttribute(target, 'message', other)
    expect(getAttribute(target, 'message')).toBe(other)
    expect(target.listenerCount('message')).toBe(1)
    target.emit('message', 'x', false)
    expect([one.mock.calls.length, other.mock.calls.length]).toEqual([0, 1])
    setAttribute(target, 'message', null)
    expect(getAttribute(target, 'message')).toBeNull()
    setAttribute(target, 'message', null)
    expect(target.listenerCount('message')).toBe(0)
  })

  test('take nothing but functions', () => {
    const target = emitter()
    setAttribute(target, 'open', () => {})
    setAttribute(target, 'open', 'no function' as never)
    expect(getAttribute(target, 'open')).toBeNull()
    expect(target.listenerCount('open')).toBe(0)
  })

  test('and the same function as a listener are two', () => {
    const target = emitter()
    const listener = vi.fn()
    setAttribute(target, 'open', listener)
    addListener(target, 'open', listener)
    target.emit('open')
    expect(listener).toHaveBeenCalledTimes(2)
    removeListener(target, 'open', listener)
    expect(getAttribute(target, 'open')).toBe(listener)
    target.emit('open')
    expect(listener).toHaveBeenCalledTimes(3)
  })
})

describe('the data of a message', () => {
  const bytes = Buffer.from('bytes')

  function dataOf(binaryType: string, data: unknown, isBinary: boolean): unknown {
    const target = emitter(binaryType)
    let found: unknown
    addListener(target, 'message', (event: { data: unknown }) => {
      found = event.data
    })
    target.emit('message', data, isBinary)
    return found
  }

  test('is a string for text, whatever it came as', () => {
    for (const binaryType of ['nodebuffer', 'arraybuffer', 'blob']) {
      expect(dataOf(binaryType, 'text', false)).toBe('text')
      expect(dataOf(binaryType, Buffer.from('text'), false)).toBe('text')
    }
  })

  test('is what came for bytes, and a Blob of it where one is wanted', async () => {
    expect(dataOf('nodebuffer', bytes, true)).toBe(bytes)
    const blob = dataOf('blob', bytes, true) as Blob
    expect(blob).toBeInstanceOf(Blob)
    expect(Buffer.from(await blob.arrayBuffer())).toEqual(bytes)
  })
})
