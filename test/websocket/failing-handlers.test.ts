import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect, type Diagnostics, WebSocket, WebSocketServer } from 'hubwire'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { inbox } from '../support/inbox.js'
import { openPair, type OpenPair } from '../support/open-pair.js'
import { runningServer } from '../support/running-server.js'
import { uncaught } from '../support/uncaught.js'
import { warningWith } from '../support/warning.js'

const failure = new Error('the handler fails')

function fail(): never {
  throw failure
}

async function reject(): Promise<never> {
  return Promise.reject(failure)
}

/** How each event comes to a server's socket. */
const events: Record<string, (ends: { client: WebSocket; socket: WebSocket<undefined> }) => void> = {
  message: ({ client }) => client.send('hello'),
  ping: ({ client }) => client.ping(),
  pong: ({ client }) => client.pong(),
  drain: ({ socket }) => socket.send(Buffer.alloc(1024 * 1024)),
}

describe.each(Object.entries(events))('a listener of %s', (event, cause) => {
  test.each([
    ['throws', fail],
    ['rejects', reject],
  ])('that %s closes its connection with 1011 and reports to the server', async (_how, listener) => {
    const escaped = uncaught()
    const { running, client, socket } = await openPair()
    const failures: unknown[] = []
    running.server.on('error', (...values: unknown[]) => failures.push(values))
    socket.on(event as 'message', listener)
    cause({ client, socket })
    const closes = await Promise.all([closeOf(client), closeOf(socket)])
    expect(closes[0].code).toBe(1011)
    expect(closes[1].cause).toBe(failure)
    expect(failures).toEqual([[failure, socket]])
    expect(running.server.stats().failedHandlers).toBe(1)
    await settled()
    expect(escaped).toEqual([])
  })
})

describe('a failing handler', () => {
  test('closes only its own connection among a hundred', async () => {
    const running = await runningServer()
    running.server.on('error', () => undefined)
    running.server.on('connection', (socket) => {
      socket.on('message', (data) => {
        socket.send(JSON.stringify(JSON.parse(data as string)))
      })
    })
    const clients = await Promise.all(Array.from({ length: 100 }, async () => connect(running.url)))
    const [bad, ...good] = clients as [WebSocket, ...WebSocket[]]
    const closed = closeOf(bad)
    bad.send('not json')
    expect((await closed).code).toBe(1011)
    const answers = good.map((client) => inbox(client).next())
    for (const client of good) client.send('[1]')
    expect(await Promise.all(answers)).toEqual(good.map(() => '[1]'))
    expect(good.every(({ readyState }) => readyState === WebSocket.OPEN)).toBe(true)
    for (const client of good) client.close()
  })

  test('receives no further message of the same chunk (F21)', async () => {
    const { running, client, socket } = await openPair()
    running.server.on('error', () => undefined)
    const listener = vi.fn(fail)
    socket.on('message', listener)
    for (const message of ['a', 'b', 'c']) client.send(message)
    await closeOf(socket)
    expect(listener).toHaveBeenCalledTimes(1)
  })

  test("of 'close' is reported", async () => {
    const { running, client, socket } = await openPair()
    const failures: unknown[] = []
    running.server.on('error', (error) => failures.push(error))
    socket.on('close', fail)
    const closed = once(client, 'close')
    client.close()
    await closed
    await settled()
    expect(failures).toEqual([failure])
    expect(running.server.clients.size).toBe(0)
  })

  test("of 'error' is reported once", async () => {
    const { running, client, socket } = await openPair()
    const failures: unknown[] = []
    running.server.on('error', (error) => failures.push(error))
    const listener = vi.fn(fail)
    socket.on('error', listener)
    socket.on('message', () => {
      throw new Error('first')
    })
    client.send('hello')
    await closeOf(socket)
    await settled()
    expect(failures).toEqual([new Error('first'), failure])
    expect(listener).toHaveBeenCalledTimes(1)
  })

  test('of the WHATWG interface closes with 1011', async () => {
    const { running, client, socket } = await openPair()
    running.server.on('error', () => undefined)
    socket.addEventListener('message', fail)
    client.send('hello')
    expect((await closeOf(client)).code).toBe(1011)
  })

  test("emits a process warning with the stack if the server has no 'error' listener", async () => {
    const warnings: (Error & { code?: string; detail?: string })[] = []
    const collect = (warning: Error): void => {
      if (warning.message.includes('only in this test')) warnings.push(warning)
    }
    process.on('warning', collect)
    onTestFinished(() => {
      process.off('warning', collect)
    })
    const { client, socket } = await openPair()
    socket.on('message', () => {
      throw new Error('only in this test')
    })
    client.send('hello')
    await closeOf(client)
    await settled()
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatchObject({ name: 'HubwireWarning', code: 'HUBWIRE_HANDLER_FAILED' })
    expect(warnings[0]!.detail).toContain('failing-handlers.test')
  })

  test.each([
    ['throws', 'an open connection', fail],
    ['throws', 'an attempt to connect', fail],
    ['rejects', 'an open connection', reject],
    ['rejects', 'an attempt to connect', reject],
  ])(
    "of onceClosed that %s does not prevent others or 'close' from being called for %s",
    async (_how, what, listener) => {
      const escaped = uncaught()
      const { running, client, socket: accepted } = await openPair()
      running.server.on('error', () => undefined)
      const socket = what === 'an open connection' ? accepted : new WebSocket('ws://127.0.0.1:1')
      const order: string[] = []
      socket.onceClosed(listener)
      socket.onceClosed(() => order.push('onceClosed'))
      socket.on('close', () => order.push('close'))
      client.close()
      await closeOf(socket)
      await settled()
      expect(order).toEqual(['onceClosed', 'close'])
      expect(escaped).toEqual([])
    },
  )

  test('of a custom event throws to its caller', async () => {
    const { socket } = await openPair()
    const custom = socket as unknown as NodeJS.EventEmitter
    custom.on('custom', fail)
    expect(() => custom.emit('custom')).toThrow(failure)
    expect(socket.readyState).toBe(WebSocket.OPEN)
  })

  test('at a client closes the connection with 1011', async () => {
    const { client, socket } = await openPair()
    const failures: unknown[] = []
    client.on('error', (error) => failures.push(error))
    client.on('message', fail)
    socket.send('hello')
    expect((await closeOf(socket)).code).toBe(1011)
    expect(failures).toEqual([failure])
  })

  test.each(['throws', 'rejects'])(
    "that %s at a client without an 'error' listener causes a process warning with the stack (N2, N4)",
    async (how) => {
      const { client, socket } = await openPair()
      const text = `a client's listener that ${how}`
      const warned = warningWith(text)
      client.on('message', () => {
        const error = new Error(text)
        if (how === 'throws') throw error
        return Promise.reject(error)
      })
      socket.send('hello')
      expect((await closeOf(socket)).code).toBe(1011)
      const warning = await warned
      expect(warning).toMatchObject({ name: 'HubwireWarning', code: 'HUBWIRE_HANDLER_FAILED' })
      expect(warning.detail).toContain('failing-handlers.test')
    },
  )
})

describe('a send callback', () => {
  test.each([
    ['throws', fail],
    ['rejects', reject],
  ])(
    'that %s closes its connection, and does not prevent the other callbacks (F21, F43)',
    async (_how, callback) => {
      const escaped = uncaught()
      const { running, client, socket } = await openPair()
      running.server.on('error', () => undefined)
      const [before, after] = [vi.fn(), vi.fn()]
      socket.send('a', before)
      socket.send('b', callback as () => void)
      socket.send('c', after)
      expect((await closeOf(client)).code).toBe(1011)
      expect([before.mock.calls.length, after.mock.calls.length]).toEqual([1, 1])
      expect(escaped).toEqual([])
    },
  )

  test.each([
    ['throws', fail],
    ['rejects', reject],
  ])(
    'that %s on a closing socket does not disturb the closing handshake (F21, F43)',
    async (_how, callback) => {
      const escaped = uncaught()
      const { running, client, socket } = await openPair()
      const failures: unknown[] = []
      running.server.on('error', (error) => failures.push(error))
      socket.close()
      socket.send('late', callback as () => void)
      socket.ping('late', callback as () => void)
      await closeOf(client)
      socket.send('too late', callback as () => void)
      await settled()
      expect(failures).toEqual([failure, failure, failure])
      expect(escaped).toEqual([])
    },
  )

  test('may be null (F40)', async () => {
    const { client, socket } = await openPair()
    const messages = inbox(client)
    socket.send('a', null as never)
    socket.send('b', {}, null as never)
    expect([await messages.next(), await messages.next()]).toEqual(['a', 'b'])
  })
})

describe('web listeners', () => {
  test.each(['ping', 'pong', 'drain', 'foo'])('of %s are never called (F45)', async (type) => {
    const { client, socket } = await openPair()
    const listener = vi.fn()
    socket.addEventListener(type as 'message', listener)
    client.ping()
    client.pong()
    client.send('hello')
    await once(socket, 'message')
    expect(listener).not.toHaveBeenCalled()
    expect(socket.readyState).toBe(WebSocket.OPEN)
  })

  test.each(['message', 'close'])('of %s are ignored if they are null (F27)', async (type) => {
    const { client, socket } = await openPair()
    socket.addEventListener(type as 'message', null)
    socket.removeEventListener(type as 'message', null)
    client.send('hello')
    await once(socket, 'message')
    expect(socket.readyState).toBe(WebSocket.OPEN)
  })
})

test('applies to subclasses of the server', async () => {
  class Chat extends WebSocketServer {}
  const server = new Chat({ port: 0, host: '127.0.0.1' })
  onTestFinished(async () => {
    await server.shutdown({ timeout: 0 })
  })
  await once(server, 'listening')
  const failures: unknown[] = []
  server.on('error', (error) => failures.push(error))
  server.on('connection', fail)
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as { port: number }).port}`)
  expect((await closeOf(client)).code).toBe(1011)
  expect(failures).toEqual([failure])
})

/** Handlers besides the listeners of {@link events}, and how each comes to fail. */
const others: Record<string, (ends: OpenPair, handler: () => unknown) => void> = {
  "a listener of 'close'": ({ client, socket }, handler) => {
    socket.on('close', handler)
    client.close()
  },
  "a web listener of 'message'": ({ client, socket }, handler) => {
    socket.addEventListener('message', handler)
    client.send('hello')
  },
  onmessage: ({ client, socket }, handler) => {
    socket.onmessage = handler
    client.send('hello')
  },
  'a web listener object': ({ client, socket }, handler) => {
    socket.addEventListener('message', { handleEvent: handler })
    client.send('hello')
  },
  "a web listener of 'close'": ({ client, socket }, handler) => {
    socket.addEventListener('close', handler)
    client.close()
  },
  'a send callback': ({ socket }, handler) => {
    socket.send('hello', handler)
  },
}

describe.each(Object.entries(others))('%s', (_name, cause) => {
  test.each([
    ['throws', fail],
    ['rejects', reject],
  ])(
    'that %s is reported to the server with the socket, counted and published (N2, N4)',
    async (_how, handler) => {
      const escaped = uncaught()
      const ends = await openPair()
      const { server } = ends.running
      const published: unknown[] = []
      const collect = (message: unknown): void => {
        const { socket, error } = message as Diagnostics['hubwire:error']
        if (socket === (ends.socket as unknown)) published.push(error)
      }
      subscribe('hubwire:error', collect)
      onTestFinished(() => {
        unsubscribe('hubwire:error', collect)
      })
      const failed = once(server, 'error')
      const closed = Promise.all([closeOf(ends.client), closeOf(ends.socket)])
      cause(ends, handler)
      expect(await failed).toEqual([failure, ends.socket])
      await closed
      await settled()
      expect(server.stats().failedHandlers).toBe(1)
      expect(published).toEqual([failure])
      expect(escaped).toEqual([])
    },
  )
})

describe.each(['message', 'ping', 'pong', 'drain'])('at a client a listener of %s', (event) => {
  test.each([
    ['throws', fail],
    ['rejects', reject],
  ])('that %s closes its connection with 1011 (N2)', async (_how, listener) => {
    const escaped = uncaught()
    const { client, socket } = await openPair()
    const failures: unknown[] = []
    client.on('error', (error) => failures.push(error))
    client.on(event as 'message', listener)
    events[event]!({ client: socket, socket: client as WebSocket<undefined> })
    expect(await closeOf(socket)).toMatchObject({ code: 1011 })
    await settled()
    expect(failures).toEqual([failure])
    expect(escaped).toEqual([])
  })
})
