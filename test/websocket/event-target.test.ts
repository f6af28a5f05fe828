import { EventEmitter, getEventListeners } from 'node:events'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebListeners } from '#src/websocket/event-target.js'

type AnyEvent = Event & Record<string, unknown>

/** An emitter with WHATWG's listeners, and the failures that they reported. */
function target({ binaryType = 'nodebuffer', url = '', catchesRejections = true } = {}) {
  const emitter = Object.assign(new EventEmitter(), { binaryType, url })
  const failures: unknown[] = []
  const listeners = new WebListeners(
    emitter,
    (failure, type) => failures.push([failure, type]),
    catchesRejections,
  )
  return { emitter, listeners, failures }
}

const details = { wasClean: true, initiator: 'remote', cause: undefined, dropped: 0 }
const TYPES = ['open', 'message', 'close', 'error'] as const

describe('events', () => {
  test.each([
    ['open', [], '[object Event]', {}],
    [
      'message',
      ['text', false],
      '[object MessageEvent]',
      { data: 'text', origin: 'ws://host:1', lastEventId: '' },
    ],
    ['close', [4000, 'reason', details], '[object CloseEvent]', { code: 4000, reason: 'reason', ...details }],
    ['close', [4000, Buffer.from('reason'), details], '[object CloseEvent]', { reason: 'reason' }],
    ['error', [new Error('failure')], '[object Event]', { error: new Error('failure'), message: 'failure' }],
  ])(
    'an event of type %s has its class and has the emitter as its target',
    (type, values, classString, properties) => {
      const { emitter, listeners } = target({ url: 'ws://host:1/path' })
      const seen: unknown[] = []
      let event: AnyEvent | undefined
      listeners.add(type, function (this: unknown, current: AnyEvent) {
        event = current
        seen.push(this, current.target, current.currentTarget, current.srcElement, ...current.composedPath())
        expect(current.eventPhase).toBe(2)
      })
      emitter.emit(type, ...values)
      expect(seen).toEqual([emitter, emitter, emitter, emitter, emitter])
      expect(event).toBeInstanceOf(Event)
      expect(event).toMatchObject({ type, bubbles: false, cancelable: false, ...properties })
      expect(Object.prototype.toString.call(event)).toBe(classString)
      expect(event!.timeStamp).toBeGreaterThan(0)
      expect([event!.target, event!.currentTarget, event!.eventPhase]).toEqual([emitter, null, 0])
      expect(event!.composedPath()).toEqual([])
    },
  )

  test.each([
    ['MessageEvent', 'message', ['text', false]],
    ['CloseEvent', 'close', [1000, '', details]],
  ])('are instances of the %s of Node.js if it has one', (name, type, values) => {
    const { emitter, listeners } = target()
    const events: unknown[] = []
    listeners.add(type, (event: unknown) => events.push(event))
    emitter.emit(type, ...values)
    const Class = (globalThis as unknown as Record<string, (new () => unknown) | undefined>)[name] ?? Event
    expect(events).toEqual([expect.any(Class)])
  })

  test('are the same object for all listeners', () => {
    const { emitter, listeners } = target()
    const events = new Set<unknown>()
    for (let i = 0; i < 3; i++) listeners.add('message', (event: unknown) => events.add(event))
    listeners.setAttribute('message', (event: unknown) => events.add(event))
    emitter.emit('message', 'x', false)
    expect(events.size).toBe(1)
  })

  test.each([
    ['', ''],
    ['ws://host/path', 'ws://host'],
    ['wss://host:8443/', 'wss://host:8443'],
  ])('have, for the URL %j, the origin %j', (url, origin) => {
    const { emitter, listeners } = target({ url })
    const origins: unknown[] = []
    listeners.add('message', (event: AnyEvent) => origins.push(event.origin))
    emitter.emit('message', 'x', false)
    expect(origins).toEqual([origin])
  })

  test('are created only for web listeners', () => {
    const { emitter, listeners } = target()
    const message = vi.fn()
    emitter.on('message', message)
    listeners.add('open', () => {})
    expect(emitter.listeners('message')).toEqual([message])
  })
})

describe('the data of a message', () => {
  const bytes = Buffer.from('bytes')

  function dataOf(binaryType: string, data: unknown, isBinary: boolean): unknown {
    const { emitter, listeners } = target({ binaryType })
    let found: unknown
    listeners.add('message', (event: AnyEvent) => {
      found = event.data
    })
    emitter.emit('message', data, isBinary)
    return found
  }

  test('is a string for text, even if it arrives as a Buffer', () => {
    for (const binaryType of ['nodebuffer', 'arraybuffer', 'blob']) {
      expect(dataOf(binaryType, 'text', false)).toBe('text')
      expect(dataOf(binaryType, Buffer.from('text'), false)).toBe('text')
    }
  })

  test("is the received value for bytes, or a Blob with binaryType 'blob'", async () => {
    expect(dataOf('nodebuffer', bytes, true)).toBe(bytes)
    const blob = dataOf('blob', bytes, true) as Blob
    expect(blob).toBeInstanceOf(Blob)
    expect(Buffer.from(await blob.arrayBuffer())).toEqual(bytes)
  })
})

describe('listeners', () => {
  test("are called together, in the place of the first among the emitter's listeners", () => {
    const { emitter, listeners } = target()
    const order: string[] = []
    emitter.on('message', () => order.push('on'))
    listeners.add('message', () => order.push('addEventListener'))
    emitter.on('message', () => order.push('on again'))
    listeners.setAttribute('message', () => order.push('onmessage'))
    emitter.emit('message', 'x', false)
    expect(order).toEqual(['on', 'addEventListener', 'onmessage', 'on again'])
    expect(emitter.listenerCount('message')).toBe(3)
  })

  test('may be objects, whose handleEvent is looked up at each event', () => {
    const { emitter, listeners, failures } = target()
    const calls: unknown[] = []
    const listener: { handleEvent: unknown } = {
      handleEvent(this: unknown) {
        calls.push(['first', this])
      },
    }
    listeners.add('open', listener as never)
    emitter.emit('open')
    listener.handleEvent = function (this: unknown) {
      calls.push(['second', this])
    }
    emitter.emit('open')
    listener.handleEvent = 'no function'
    emitter.emit('open')
    expect(calls).toEqual([
      ['first', listener],
      ['second', listener],
    ])
    expect(failures).toEqual([[expect.any(TypeError), 'open']])
  })

  test('are added once and removed by type and `capture`', () => {
    const { emitter, listeners } = target()
    const listener = vi.fn()
    listeners.add('open', listener)
    listeners.add('open', listener, { capture: false, once: true })
    listeners.add('open', listener, true)
    listeners.add('close', listener)
    emitter.emit('open')
    expect(listener).toHaveBeenCalledTimes(2)
    listeners.remove('open', listener, { capture: true })
    emitter.emit('open')
    expect(listener).toHaveBeenCalledTimes(3)
    listeners.remove('open', listener)
    listeners.remove('open', listener)
    listeners.remove('open', () => {})
    listeners.remove('open', null)
    expect([emitter.listenerCount('open'), emitter.listenerCount('close')]).toEqual([0, 1])
  })

  test('are removed before they are called, with `once`', () => {
    const { emitter, listeners } = target()
    let called = 0
    const once = (): void => {
      called++
      emitter.emit('open')
    }
    listeners.add('open', once, { once: true })
    emitter.emit('open')
    emitter.emit('open')
    expect(called).toBe(1)
    expect(emitter.listenerCount('open')).toBe(0)
  })

  test('leave other listeners in place, with `once`', () => {
    const { emitter, listeners } = target()
    const [once, always] = [vi.fn(), vi.fn()]
    listeners.add('open', once, { once: true })
    listeners.add('open', always)
    emitter.emit('open')
    emitter.emit('open')
    expect([once.mock.calls.length, always.mock.calls.length]).toEqual([1, 2])
  })

  test('are removed when their `signal` is aborted, and not added when it already was', () => {
    const { emitter, listeners } = target()
    const controller = new AbortController()
    const listener = vi.fn()
    listeners.add('open', listener, { signal: controller.signal })
    emitter.emit('open')
    controller.abort()
    emitter.emit('open')
    expect(listener).toHaveBeenCalledOnce()
    expect(emitter.listenerCount('open')).toBe(0)
    listeners.add('open', listener, { signal: controller.signal })
    emitter.emit('open')
    expect(listener).toHaveBeenCalledOnce()
  })

  test('are ignored if they are null or undefined (F27)', () => {
    const { emitter, listeners } = target()
    for (const none of [null, undefined]) listeners.add('message', none, null)
    expect(emitter.listenerCount('message')).toBe(0)
  })

  test.each([5, 'f', true, Symbol('s')])('throw a TypeError if they are %s', (listener) => {
    const { listeners } = target()
    expect(() => {
      listeners.add('message', listener as never)
    }).toThrow(
      new TypeError(`A listener is a function or an object with handleEvent; ${String(listener)} is neither`),
    )
  })

  test.each(['ping', 'pong', 'drain', 'foo', 'constructor'])(
    'of %s are called by dispatchEvent alone (F45)',
    (type) => {
      const { emitter, listeners } = target()
      const listener = vi.fn()
      listeners.add(type, listener)
      emitter.emit(type, Buffer.from('x'))
      expect(emitter.listenerCount(type)).toBe(0)
      listeners.dispatch(new Event(type))
      expect(listener).toHaveBeenCalledOnce()
      listeners.remove(type, listener)
      listeners.dispatch(new Event(type))
      expect(listener).toHaveBeenCalledOnce()
    },
  )

  test('work again after the application has removed the listener on the emitter', () => {
    const { emitter, listeners } = target()
    const listener = vi.fn()
    listeners.add('open', listener)
    for (const ours of emitter.listeners('open')) emitter.off('open', ours as () => void)
    listeners.add('open', () => {})
    emitter.emit('open')
    expect(listener).toHaveBeenCalledOnce()
  })

  test('are removed by type with clear()', () => {
    const { emitter, listeners } = target()
    const listener = vi.fn()
    for (const type of TYPES) {
      listeners.add(type, listener)
      listeners.add(type, listener, true)
      listeners.setAttribute(type, listener)
    }
    listeners.clear('message')
    emitter.emit('message', 'x', false)
    expect(listener).not.toHaveBeenCalled()
    expect(emitter.listenerCount('message')).toBe(0)
    expect(listeners.getAttribute('message')).toBeNull()
    emitter.emit('open')
    expect(listener).toHaveBeenCalledTimes(3)
  })

  test('count towards the limit of setMaxListeners()', async () => {
    const { emitter, listeners } = target()
    const warnings: unknown[] = []
    const collect = (warning: Error & { target?: unknown }): void => {
      if (warning.message.includes('hubwire-leak')) warnings.push(warning.name)
    }
    process.on('warning', collect)
    onTestFinished(() => {
      process.off('warning', collect)
    })
    emitter.setMaxListeners(2)
    for (let i = 0; i < 2; i++) listeners.add('hubwire-leak', () => {})
    await new Promise(setImmediate)
    expect(warnings).toEqual([])
    listeners.add('hubwire-leak', () => {})
    await new Promise(setImmediate)
    expect(warnings).toEqual(['MaxListenersExceededWarning'])
  })
})

describe('a listener that fails', () => {
  test('does not prevent the others, and is reported after them', () => {
    const { emitter, listeners, failures } = target()
    const order: unknown[] = []
    const [first, second] = [new Error('first'), new Error('second')]
    listeners.add('open', () => {
      throw first
    })
    listeners.setAttribute('open', () => {
      throw second
    })
    listeners.add('open', () => order.push([...failures]))
    emitter.on('open', () => order.push([...failures]))
    emitter.emit('open')
    const told = [
      [first, 'open'],
      [second, 'open'],
    ]
    expect(order).toEqual([[], told])
    expect(failures).toEqual(told)
  })

  test('is reported with its own event if events are nested', () => {
    const { emitter, listeners, failures } = target()
    listeners.add('open', () => {
      emitter.emit('error', new Error('inner'))
      expect(failures).toEqual([['in error', 'error']])
      throw 'in open' as unknown as Error
    })
    listeners.add('error', () => {
      throw 'in error' as unknown as Error
    })
    emitter.emit('open')
    expect(failures).toEqual([
      ['in error', 'error'],
      ['in open', 'open'],
    ])
  })

  test('is reported if it rejects and rejections are caught', async () => {
    const { emitter, listeners, failures } = target()
    const failure = new Error('from a listener')
    listeners.add('open', () => Promise.reject(failure))
    listeners.add('open', () => ({ then: (_: unknown, reject: (failure: Error) => void) => reject(failure) }))
    listeners.add('open', () => ({ then: 'no function' }))
    emitter.emit('open')
    await new Promise(setImmediate)
    expect(failures).toEqual([
      [failure, 'open'],
      [failure, 'open'],
    ])
  })

  test('is left to the process if it rejects and rejections are not caught', async () => {
    const { emitter, listeners, failures } = target({ catchesRejections: false })
    const rejected = Promise.reject(new Error('from a listener'))
    listeners.add('open', () => rejected)
    emitter.emit('open')
    await expect(rejected).rejects.toThrow('from a listener')
    expect(failures).toEqual([])
  })
})

describe('dispatchEvent', () => {
  test('calls only the web listeners of the type, with the same event', () => {
    const { emitter, listeners } = target()
    const [ours, others] = [vi.fn(), vi.fn()]
    let targets: unknown[] = []
    emitter.on('message', others)
    listeners.add('message', (event: AnyEvent) => {
      ours(event)
      targets = [event.target, event.currentTarget, event.srcElement, ...event.composedPath()]
    })
    const event = new MessageEvent('message', { data: 'mine' })
    expect(listeners.dispatch(event as unknown as Event)).toBe(true)
    expect(ours.mock.calls).toEqual([[event]])
    expect(others).not.toHaveBeenCalled()
    expect(targets).toEqual([emitter, emitter, emitter, emitter])
    expect(Object.keys(event)).not.toContain('target')
  })

  test('allows the event to be dispatched to another target afterwards', () => {
    const { listeners } = target()
    const second = target()
    const elsewhere = new EventTarget()
    const targets: unknown[] = []
    const listener = ({ currentTarget }: Event): void => void targets.push(currentTarget)
    listeners.add('open', listener)
    second.listeners.add('open', listener)
    elsewhere.addEventListener('open', listener)
    const event = new Event('open')
    listeners.dispatch(event)
    elsewhere.dispatchEvent(event)
    second.listeners.dispatch(event)
    expect(targets).toHaveLength(3)
    expect(targets[1]).toBe(elsewhere)
    expect(targets[2]).toBe(second.emitter)
  })

  test('returns whether the default action was prevented', () => {
    const { listeners } = target()
    listeners.add('open', (event: Event) => {
      event.preventDefault()
    })
    expect(listeners.dispatch(new Event('open'))).toBe(true)
    expect(listeners.dispatch(new Event('open', { cancelable: true }))).toBe(false)
  })

  test('prevents the default action if an attribute returns false', () => {
    const { listeners } = target()
    listeners.setAttribute('open', () => false)
    expect(listeners.dispatch(new Event('open', { cancelable: true }))).toBe(false)
    listeners.setAttribute('open', () => undefined)
    expect(listeners.dispatch(new Event('open', { cancelable: true }))).toBe(true)
  })

  test('stops at stopImmediatePropagation()', () => {
    const { emitter, listeners } = target()
    const after = vi.fn()
    listeners.add('open', (event: Event) => {
      event.stopImmediatePropagation()
    })
    listeners.add('open', after)
    emitter.emit('open')
    listeners.dispatch(new Event('open'))
    expect(after).not.toHaveBeenCalled()
  })

  test('throws for a value that is not an Event and for an event that is being dispatched', () => {
    const { listeners, failures } = target()
    for (const none of [undefined, null, {}, 'open']) {
      expect(() => listeners.dispatch(none as never)).toThrow(TypeError)
    }
    listeners.add('open', (event: Event) => {
      listeners.dispatch(event)
    })
    listeners.dispatch(new Event('open'))
    expect(failures).toEqual([[expect.objectContaining({ code: 'ERR_EVENT_RECURSION' }), 'open']])
  })
})

describe('an attribute', () => {
  test('holds one listener, which another replaces in its place and null removes', () => {
    const { emitter, listeners } = target()
    const order: string[] = []
    expect(listeners.getAttribute('message')).toBeNull()
    listeners.setAttribute('message', () => order.push('one'))
    listeners.add('message', () => order.push('added'))
    const other = (): unknown => order.push('other')
    listeners.setAttribute('message', other)
    expect(listeners.getAttribute('message')).toBe(other)
    emitter.emit('message', 'x', false)
    expect(order).toEqual(['other', 'added'])
    listeners.setAttribute('message', null)
    expect(listeners.getAttribute('message')).toBeNull()
    listeners.setAttribute('message', other)
    emitter.emit('message', 'x', false)
    expect(order).toEqual(['other', 'added', 'added', 'other'])
  })

  test('removes its listener from the emitter when set to null', () => {
    const { emitter, listeners } = target()
    listeners.setAttribute('message', null)
    listeners.setAttribute('message', () => {})
    expect(emitter.listenerCount('message')).toBe(1)
    listeners.setAttribute('message', null)
    listeners.setAttribute('message', null)
    expect(emitter.listenerCount('message')).toBe(0)
  })

  test.each([2, ';', undefined, false])('is null after being set to %j', (value) => {
    const { emitter, listeners } = target()
    listeners.setAttribute('open', () => {})
    listeners.setAttribute('open', value)
    expect(listeners.getAttribute('open')).toBeNull()
    expect(emitter.listenerCount('open')).toBe(0)
  })

  test('keeps an object without calling its handleEvent', () => {
    const { emitter, listeners, failures } = target()
    const object = { handleEvent: vi.fn() }
    listeners.setAttribute('open', object)
    expect(listeners.getAttribute('open')).toBe(object)
    emitter.emit('open')
    expect(object.handleEvent).not.toHaveBeenCalled()
    expect(failures).toEqual([])
  })

  test('is called separately from the same function added as a listener', () => {
    const { emitter, listeners } = target()
    const listener = vi.fn()
    listeners.setAttribute('open', listener)
    listeners.add('open', listener)
    emitter.emit('open')
    expect(listener).toHaveBeenCalledTimes(2)
    listeners.remove('open', listener)
    expect(listeners.getAttribute('open')).toBe(listener)
    emitter.emit('open')
    expect(listener).toHaveBeenCalledTimes(3)
  })
})

test('leaves no listener on an aborted signal', () => {
  const { emitter, listeners } = target()
  const controller = new AbortController()
  const listener = vi.fn()
  listeners.add('open', listener, { signal: controller.signal })
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
  controller.abort()
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  expect(emitter.listenerCount('open')).toBe(1)
})
