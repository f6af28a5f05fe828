import { once } from 'node:events'
import { WebSocket } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { openPair } from '../support/open-pair.js'
import { runningServer } from '../support/running-server.js'

const STATES = Object.entries({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 })
const MEMBERS = [
  'url',
  'readyState',
  'bufferedAmount',
  'onopen',
  'onerror',
  'onclose',
  'extensions',
  'protocol',
  'close',
  'onmessage',
  'binaryType',
  'send',
]

describe('interfaces/WebSocket/constants', () => {
  describe.each([
    ['the class', WebSocket],
    ['the prototype', WebSocket.prototype],
  ])('of %s', (_name, holder) => {
    test.each(STATES)('%s is %i, cannot be changed or deleted, and is enumerable', (name, value) => {
      expect(Object.getOwnPropertyDescriptor(holder, name)).toEqual({
        value,
        writable: false,
        enumerable: true,
        configurable: false,
      })
      expect(Reflect.set(holder, name, 9)).toBe(false)
      expect(Reflect.deleteProperty(holder, name)).toBe(false)
    })
  })

  test.each(STATES)('exist on a socket: %s', async (name, value) => {
    const { client } = await openPair()
    expect(Reflect.get(client, name)).toBe(value)
    expect(Object.hasOwn(client, name)).toBe(false)
  })
})

describe('idlharness.any.js', () => {
  test('has a class with a length of 1 and its name', () => {
    expect([WebSocket.length, WebSocket.name]).toEqual([1, 'WebSocket'])
  })

  test('has the class string WebSocket, which cannot be set', async () => {
    const { client } = await openPair()
    expect(Object.prototype.toString.call(client)).toBe('[object WebSocket]')
    expect(Object.getOwnPropertyDescriptor(WebSocket.prototype, Symbol.toStringTag)).toEqual({
      value: 'WebSocket',
      writable: false,
      enumerable: false,
      configurable: true,
    })
  })

  test.each(MEMBERS)('has %s as an enumerable property of the prototype', (name) => {
    expect(Object.getOwnPropertyDescriptor(WebSocket.prototype, name)).toMatchObject({
      enumerable: true,
      configurable: true,
    })
  })

  test.each(['url', 'readyState', 'bufferedAmount', 'extensions', 'protocol'])(
    'has %s with only a getter, which throws for other objects',
    async (name) => {
      const { client } = await openPair()
      const { get, set } = Object.getOwnPropertyDescriptor(WebSocket.prototype, name)!
      expect(set).toBeUndefined()
      expect(Reflect.set(client, name, 'x')).toBe(false)
      expect(() => void Reflect.apply(get!, {}, [])).toThrow(TypeError)
      expect(() => void Reflect.get(WebSocket.prototype, name)).toThrow(TypeError)
    },
  )

  test.each([
    ['addEventListener', 2],
    ['removeEventListener', 2],
    ['dispatchEvent', 1],
  ])('has %s with a length of at least %i', (name, length) => {
    expect((Reflect.get(WebSocket.prototype, name) as () => void).length).toBeGreaterThanOrEqual(length)
  })

  test.each([
    ['close', 0],
    ['send', 1],
  ])('has %s with a length of %i, the number of its required arguments', (name, length) => {
    expect((Reflect.get(WebSocket.prototype, name) as () => void).length).toBe(length)
  })
})

describe('interfaces/WebSocket/url, protocol, extensions, readyState', () => {
  test('are those of the attempt and then of the connection', async () => {
    const { url } = await runningServer({ perMessageDeflate: true, handleProtocols: () => 'chat' })
    const client = new WebSocket(`${url}/a?b`, 'chat', { perMessageDeflate: true })
    const read = (): unknown[] => [client.url, client.protocol, client.extensions, client.readyState]
    expect(read()).toEqual([`${url}/a?b`, '', '', 0])
    await once(client, 'open')
    expect(read()).toEqual([`${url}/a?b`, 'chat', 'permessage-deflate', 1])
    client.close()
    expect(client.readyState).toBe(2)
    await once(client, 'close')
    expect(read()).toEqual([`${url}/a?b`, 'chat', 'permessage-deflate', 3])
  })

  test('become CLOSING at once with close(), also before the socket is open (close-connecting.html)', async () => {
    const { url } = await runningServer()
    const client = new WebSocket(url)
    const closed = closeOf(client)
    client.close()
    expect(client.readyState).toBe(2)
    expect(await closed).toMatchObject({ code: 1006, reason: '', wasClean: false })
    expect(client.readyState).toBe(3)
  })
})

describe('interfaces/WebSocket/bufferedAmount', () => {
  test.each([
    ['initial', undefined, 0],
    ['arraybuffer', new ArrayBuffer(10), 10],
    ['unicode', '¥¥¥¥¥¥', 12],
    ['large', 'x'.repeat(65_000), 65_000],
    ['empty', '', 0],
  ])('%s: counts only the payload, in the turn of its send()', async (_name, data, expected) => {
    const { client, socket } = await openPair()
    const message = data === undefined ? undefined : once(socket, 'message')
    if (data !== undefined) client.send(data)
    expect(client.bufferedAmount).toBe(expected)
    await message
    expect(client.bufferedAmount).toBe(0)
  })

  test('getting: adds up the messages of a turn', async () => {
    const { client } = await openPair()
    const amounts = ['x', '\u00E5', '\u5336', '\uD801\uDC7E'].map((text) => {
      client.send(text)
      return client.bufferedAmount
    })
    expect(amounts).toEqual([1, 3, 6, 10])
  })
})

describe('interfaces/CloseEvent, idlharness.any.js: the class below that of the event of a socket', () => {
  type CloseEventClass = new (
    type: string,
    init?: object,
  ) => Event & Record<'code' | 'reason' | 'wasClean', unknown>

  async function closeEventClass(): Promise<CloseEventClass> {
    const { client } = await openPair()
    const event = new Promise<object>((resolve) => {
      client.onclose = resolve
    })
    client.close()
    const ours = Object.getPrototypeOf(await event) as object
    return (Object.getPrototypeOf(ours) as { constructor: CloseEventClass }).constructor
  }

  test('is an Event with the name CloseEvent and a length of 1', async () => {
    const CloseEvent = await closeEventClass()
    expect([CloseEvent.name, CloseEvent.length, Object.getPrototypeOf(CloseEvent)]).toEqual([
      'CloseEvent',
      1,
      Event,
    ])
    expect(Object.prototype.toString.call(new CloseEvent('close'))).toBe('[object CloseEvent]')
  })

  test.each(['wasClean', 'code', 'reason'])(
    'has %s as an enumerable getter of the prototype',
    async (name) => {
      const { prototype } = (await closeEventClass()) as { prototype: object }
      expect(Object.getOwnPropertyDescriptor(prototype, name)).toMatchObject({
        set: undefined,
        enumerable: true,
        configurable: true,
      })
      expect(() => void Reflect.get(prototype, name)).toThrow(TypeError)
    },
  )

  test('constructor.html: is created with the values of a dictionary, or with their defaults', async () => {
    const CloseEvent = await closeEventClass()
    const read = ({
      type,
      bubbles,
      cancelable,
      code,
      reason,
      wasClean,
    }: InstanceType<CloseEventClass>): unknown[] => [type, bubbles, cancelable, code, reason, wasClean]
    expect(read(new CloseEvent('a'))).toEqual(['a', false, false, 0, '', false])
    const init = { bubbles: true, cancelable: true, code: 4000, reason: 'why', wasClean: true }
    expect(read(new CloseEvent('b', init))).toEqual(['b', true, true, 4000, 'why', true])
  })

  test('close-basic.html: has values that cannot be set', async () => {
    const CloseEvent = await closeEventClass()
    const event = new CloseEvent('close', { code: 1000 })
    expect([Reflect.set(event, 'code', 1), Reflect.deleteProperty(event, 'code'), event.code]).toEqual([
      false,
      true,
      1000,
    ])
  })
})
