import { once } from 'node:events'
import { connect, WebSocket, type CloseEvent, type ErrorEvent, type MessageEvent } from 'hubwire'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { inbox } from '../support/inbox.js'
import { memoryPair } from '../support/memory-pair.js'
import { openPair } from '../support/open-pair.js'
import { rejecting } from '../support/rejecting.js'
import { runningServer } from '../support/running-server.js'
import { scriptedServer } from '../support/scripted-server.js'
import { uncaught } from '../support/uncaught.js'

const HANDLER_FAILED = { name: 'HubwireWarning', code: 'HUBWIRE_HANDLER_FAILED' }

/** Collects the warnings that name a failure during the rest of the test, and ignores those of other tests. */
function warningsOf(failure: Error): Error[] {
  const warnings: Error[] = []
  const collect = (warning: Error): void => {
    if (warning.message.endsWith(failure.message)) warnings.push(warning)
  }
  process.on('warning', collect)
  onTestFinished(() => {
    process.off('warning', collect)
  })
  return warnings
}

describe('the WHATWG interface', () => {
  test('calls on… attributes with events', async () => {
    const { url, server } = await runningServer()
    server.on('connection', (socket) => {
      socket.send('hello')
      socket.close(4000, 'bye')
    })
    const socket = new WebSocket(url)
    const events: unknown[] = []
    socket.onopen = ({ type, target }) => events.push([type, target === socket])
    socket.onmessage = ({ type, target, data }) => events.push([type, target === socket, data])
    socket.onclose = ({ type, target, code, reason, wasClean, initiator, cause }) =>
      events.push([type, target === socket, code, reason, wasClean, initiator, cause])
    await closeOf(socket)
    expect(events).toEqual([
      ['open', true],
      ['message', true, 'hello'],
      ['close', true, 4000, 'bye', true, 'remote', undefined],
    ])
  })

  test('calls onerror with the error and its message', async () => {
    const { url } = await scriptedServer((_request, socket) => socket.end())
    const socket = new WebSocket(url)
    const events: ErrorEvent<WebSocket>[] = []
    socket.onerror = (event) => {
      events.push(event)
    }
    await closeOf(socket)
    expect(events.map(({ type, target, message }) => [type, target === socket, message])).toEqual([
      ['error', true, 'socket hang up'],
    ])
    expect(events[0]!.error).toMatchObject({ code: 'ECONNRESET' })
  })

  test('holds one function in an on… attribute, which can be read, replaced and removed', async () => {
    const { client, socket } = await openPair()
    const [first, second] = [vi.fn(), vi.fn()]
    for (const name of ['onopen', 'onmessage', 'onclose', 'onerror'] as const) expect(socket[name]).toBeNull()
    const before = socket.listenerCount('message')
    socket.onmessage = first
    expect(socket.onmessage).toBe(first)
    socket.onmessage = second
    expect(socket.onmessage).toBe(second)
    expect(socket.listenerCount('message')).toBe(before + 1)
    client.send('x')
    await once(socket, 'message')
    expect([first.mock.calls.length, second.mock.calls.length]).toEqual([0, 1])
    socket.onmessage = null
    expect(socket.onmessage).toBeNull()
    Object.assign(socket, { onmessage: 'not a function' })
    expect(socket.onmessage).toBeNull()
    expect(socket.listenerCount('message')).toBe(before)
    for (const name of ['onopen', 'onclose', 'onerror'] as const) {
      const listener = vi.fn()
      socket[name] = listener
      expect(socket[name]).toBe(listener)
      socket[name] = null
      expect(socket[name]).toBeNull()
    }
  })

  test('accepts functions and objects in addEventListener(), each of them once', async () => {
    const { client, socket } = await openPair()
    const calls: string[] = []
    const object = {
      name: 'object',
      handleEvent(event: MessageEvent<unknown>): void {
        calls.push(`${this.name} ${event.data as string}`)
      },
    }
    function plain(this: unknown, event: MessageEvent<unknown>): void {
      calls.push(`${this === socket ? 'target' : 'other'} ${event.data as string}`)
    }
    const single = ({ data }: MessageEvent<unknown>): void => {
      calls.push(`single ${data as string}`)
    }
    for (let times = 0; times < 2; times++) {
      socket.addEventListener('message', object)
      socket.addEventListener('message', plain)
      socket.addEventListener('message', single, { once: true })
    }
    const messages = inbox(socket)
    client.send('one')
    client.send('two')
    await messages.next()
    await messages.next()
    expect(calls).toEqual(['object one', 'target one', 'single one', 'object two', 'target two'])
    calls.length = 0
    socket.removeEventListener('message', object)
    socket.removeEventListener('message', plain)
    socket.removeEventListener('message', single)
    client.send('three')
    await messages.next()
    expect(calls).toEqual([])
  })

  test('calls listeners of both interfaces in the order in which they were added', async () => {
    const { client, socket } = await openPair()
    const calls: string[] = []
    const also = (): void => void calls.push('also the attribute')
    socket.on('message', () => calls.push('on'))
    socket.onmessage = also
    socket.addEventListener('message', () => calls.push('added'))
    socket.addEventListener('message', also)
    socket.once('message', () => calls.push('once'))
    client.send('x')
    await once(socket, 'message')
    expect(calls).toEqual(['on', 'also the attribute', 'added', 'also the attribute', 'once'])
    socket.removeEventListener('message', also)
    expect(socket.onmessage).toBe(also)
  })

  test("has a string for text in events, even with textType 'buffer'", async () => {
    const { client, socket } = await openPair({ server: { textType: 'buffer' } })
    const data = new Promise((resolve) => {
      socket.onmessage = (event) => {
        resolve(event.data)
      }
    })
    client.send('grüße')
    expect(await once(socket, 'message')).toEqual([Buffer.from('grüße'), false])
    expect(await data).toBe('grüße')
  })

  test('has the cause in close events', async () => {
    const { client, socket } = await openPair({ server: { maxPayload: 1 } })
    const events: CloseEvent<unknown>[] = []
    socket.addEventListener('close', (event) => {
      events.push(event)
    })
    client.send('two bytes')
    await closeOf(socket)
    expect(events[0]?.cause).toMatchObject({ closeCode: 1009 })
  })
})

describe('binaryType', () => {
  test.each([
    ['nodebuffer', Buffer.from('bytes')],
    ['arraybuffer', new Uint8Array(Buffer.from('bytes')).buffer],
  ] as const)('passes bytes as set by %s', async (type, expected) => {
    const { client, socket } = await openPair()
    expect(socket.binaryType).toBe('nodebuffer')
    socket.binaryType = type
    expect(socket.binaryType).toBe(type)
    client.send(Buffer.from('bytes'))
    const [data] = (await once(socket, 'message')) as [Buffer | ArrayBuffer]
    expect(data).toEqual(expected)
    expect(data.byteLength).toBe(5)
    client.send('text')
    expect(await once(socket, 'message')).toEqual(['text', false])
  })

  test("passes, with 'blob', a Blob to web listeners and a Buffer to others", async () => {
    const { client, socket } = await openPair()
    socket.binaryType = 'blob'
    const data = new Promise<unknown>((resolve) => {
      socket.onmessage = (event) => {
        resolve(event.data)
      }
    })
    client.send(Buffer.from('bytes'))
    expect(await once(socket, 'message')).toEqual([Buffer.from('bytes'), true])
    const blob = (await data) as Blob
    expect(blob).toBeInstanceOf(Blob)
    expect(await blob.text()).toBe('bytes')
  })

  test('can be set before the connection is open', async () => {
    const { url, server } = await runningServer()
    server.on('connection', (socket) => socket.send(Buffer.from('x')))
    const client = new WebSocket(url)
    client.binaryType = 'arraybuffer'
    const [data] = (await once(client, 'message')) as [ArrayBuffer]
    expect(data).toBeInstanceOf(ArrayBuffer)
  })

  test('ignores any other value', async () => {
    const { socket } = await openPair()
    socket.binaryType = 'arraybuffer'
    socket.binaryType = 'fragments' as never
    expect(socket.binaryType).toBe('arraybuffer')
  })
})

describe('messages', () => {
  test('are delivered in order, each before the next frame is read', async () => {
    const { socket, clientEnd } = await memoryPair()
    const events: string[] = []
    socket.on('message', (data) => {
      events.push(data as string)
      socket.send(`echo ${data as string}`)
    })
    socket.on('error', () => events.push('error'))
    const good = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x61])
    const bad = Buffer.from([0x83, 0x80, 0, 0, 0, 0])
    clientEnd.write(Buffer.concat([good, good, bad, good]))
    await closeOf(socket)
    expect(events).toEqual(['a', 'a', 'error'])
  })

  test('do not share the memory of the read buffer', async () => {
    const { client, socket } = await openPair()
    client.send(Buffer.from('short'))
    const [data] = (await once(socket, 'message')) as [Buffer]
    client.send(Buffer.alloc(5, 'x'))
    await once(socket, 'message')
    expect(data.toString()).toBe('short')
  })

  test('close only their own connection with 1011 if a listener throws', async () => {
    const escaped = uncaught()
    const { running, client, socket } = await openPair()
    const other = await connect(running.url)
    const { socket: otherSocket } = await running.next()
    const failure = new Error('in a listener')
    const messages: unknown[] = []
    const failures = vi.fn()
    running.server.on('error', failures)
    socket.on('message', (data) => {
      messages.push(data)
      otherSocket.send('to the other')
      throw failure
    })
    const others = inbox(other)
    const closes = Promise.all([closeOf(client), closeOf(socket)])
    client.send('bad')
    client.send('behind')
    expect(await others.next()).toBe('to the other')
    const [clientClose, socketClose] = await closes
    expect(clientClose).toMatchObject({ code: 1011, wasClean: true })
    expect(socketClose).toMatchObject({ code: 1011, initiator: 'local', cause: failure })
    otherSocket.send('still')
    expect(await others.next()).toBe('still')
    expect(messages).toEqual(['bad'])
    expect(failures.mock.calls).toEqual([[failure, socket]])
    expect(escaped).toEqual([])
  })
})

describe('an async listener that rejects', () => {
  const failure = new Error('in an async listener')
  const listeners: [string, (socket: WebSocket) => void][] = [
    ['on()', (socket) => socket.on('message', rejecting(failure))],
    ['onmessage', (socket) => (socket.onmessage = rejecting(failure))],
    [
      'addEventListener()',
      (socket) => {
        socket.addEventListener('message', rejecting(failure))
      },
    ],
    [
      'handleEvent()',
      (socket) => {
        socket.addEventListener('message', { handleEvent: rejecting(failure) })
      },
    ],
  ]
  test.each(listeners)('closes its connection with 1011 if added by %s', async (_name, listen) => {
    const errors = uncaught()
    const { client, socket } = await openPair()
    const heard = vi.fn()
    socket.on('error', heard)
    listen(socket)
    const closes = Promise.all([closeOf(client), closeOf(socket)])
    client.send('x')
    const [clientClose, socketClose] = await closes
    expect(clientClose).toMatchObject({ code: 1011, reason: '', wasClean: true })
    expect(socketClose).toMatchObject({ code: 1011, wasClean: true, initiator: 'local', cause: failure })
    expect(heard.mock.calls).toEqual([[failure]])
    expect(errors).toEqual([])
  })

  test("emits a process warning without a listener of 'error'", async () => {
    const { client, socket } = await openPair()
    const warnings = warningsOf(failure)
    socket.on('message', rejecting(failure))
    client.send('x')
    expect((await closeOf(socket)).cause).toBe(failure)
    await settled()
    expect(warnings).toEqual([expect.objectContaining(HANDLER_FAILED)])
  })

  test('may reject with a value that is not an Error', async () => {
    const { client, socket } = await openPair()
    socket.on('error', () => {})
    socket.on('message', rejecting('a string' as unknown as Error))
    client.send('x')
    const { cause } = await closeOf(socket)
    expect(cause).toEqual(new Error('a string'))
    expect(cause?.cause).toBe('a string')
  })

  test('is only reported while the connection closes and after that', async () => {
    const { running, client, socket } = await openPair()
    const heard = vi.fn()
    const told = vi.fn()
    socket.on('error', heard)
    running.server.on('error', told)
    socket.on('close', rejecting(failure))
    socket.on('message', () => {
      socket.close(4000)
    })
    socket.on('message', rejecting(failure))
    client.send('x')
    expect((await closeOf(client)).code).toBe(4000)
    await settled()
    // After 'close' the socket emits no 'error'.
    expect(heard.mock.calls).toEqual([[failure]])
    expect(told.mock.calls).toEqual([
      [failure, socket],
      [failure, socket],
    ])
  })

  test("emits a process warning and closes nothing if it is a listener of 'error'", async () => {
    const { client, socket } = await openPair()
    const second = new Error('in the listener for errors')
    const warnings = warningsOf(second)
    const heard = vi.fn(rejecting(second))
    socket.on('error', heard)
    socket.on('message', rejecting(failure))
    client.send('x')
    expect((await closeOf(socket)).cause).toBe(failure)
    await settled()
    expect(warnings).toEqual([expect.objectContaining(HANDLER_FAILED)])
    expect(heard.mock.calls).toEqual([[failure]])
  })

  test('closes the connection of a client with 1011', async () => {
    const { client, socket } = await openPair()
    client.on('error', () => {})
    client.on('message', rejecting(failure))
    socket.send('x')
    expect((await closeOf(socket)).code).toBe(1011)
  })

  test('emits a process warning if the attempt to connect has failed', async () => {
    const { url } = await scriptedServer((_request, socket) => socket.end())
    const socket = new WebSocket(url)
    const heard: Error[] = []
    const warnings = warningsOf(failure)
    socket.on('error', (error) => heard.push(error))
    socket.on('close', rejecting(failure))
    await closeOf(socket)
    await settled()
    expect(heard.map((error) => error.message)).toEqual(['socket hang up'])
    expect(warnings).toEqual([expect.objectContaining(HANDLER_FAILED)])
  })
})
