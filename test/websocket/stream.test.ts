import { once } from 'node:events'
import { type Duplex, PassThrough, Readable, Writable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { finished, pipeline } from 'node:stream/promises'
import { connect, createWebSocketStream, WebSocket } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled, turn } from '../support/event-loop.js'
import { heldBytes } from '../support/garbage-collection.js'
import { inbox, take } from '../support/inbox.js'
import { openPair } from '../support/open-pair.js'
import { runningServer } from '../support/running-server.js'
import { scriptedServer } from '../support/scripted-server.js'
import { uncaught } from '../support/uncaught.js'

const MEBI = 1024 * 1024

/** Adds no listener for `'error'`, unlike `once` of node:events. */
function closeOfStream(duplex: Duplex): Promise<void> {
  return new Promise((resolve) => {
    if (duplex.closed) resolve()
    else duplex.once('close', resolve)
  })
}

describe.each([
  ['without compression', false],
  ['with compression', { threshold: 0 }],
  ['with context takeover', { threshold: 0, serverNoContextTakeover: false, clientNoContextTakeover: false }],
] as const)('%s', (_name, perMessageDeflate) => {
  const options = { server: { perMessageDeflate }, client: { perMessageDeflate } }

  test('carries both directions of a pipeline() to their ends', async () => {
    const { client, socket } = await openPair(options)
    const here = createWebSocketStream(client)
    const there = createWebSocketStream(socket)
    const echo = pipeline(there, new PassThrough(), there)
    const chunks = Array.from({ length: 300 }, (_, index) => Buffer.alloc(1 + index * 40, `chunk ${index}`))
    const received: Buffer[] = []
    let length = 0
    here.on('data', (chunk: Buffer) => {
      received.push(chunk)
      length += chunk.length
      if (length === total) here.end()
    })
    const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    for (const chunk of chunks) if (!here.write(chunk)) await once(here, 'drain')
    await Promise.all([finished(here), echo])
    expect(Buffer.concat(received).equals(Buffer.concat(chunks))).toBe(true)
    expect(client.readyState).toBe(WebSocket.CLOSED)
    expect(socket.readyState).toBe(WebSocket.CLOSED)
  })
})

test('passes 100 MiB through compression in bounded memory', async () => {
  const { client, socket } = await openPair({
    server: { perMessageDeflate: { threshold: 0 } },
    client: { perMessageDeflate: { threshold: 0 } },
  })
  const block = Buffer.alloc(64 * 1024, 'not quite random ')
  const blocks = (100 * MEBI) / block.length
  const before = await heldBytes()
  const held: number[] = []
  let arrived = 0
  // The sink is slower than the source: it takes a turn of the event loop for each chunk.
  const sink = new Writable({
    async write(chunk: Buffer, _encoding, callback) {
      arrived += chunk.length
      if (arrived % (5 * MEBI) === 0) held.push((await heldBytes()) - before)
      setImmediate(callback)
    },
  })
  function* source(): Generator<Buffer> {
    for (let index = 0; index < blocks; index++) yield block
  }
  await Promise.all([
    pipeline(Readable.from(source()), createWebSocketStream(client)),
    pipeline(createWebSocketStream(socket), sink),
  ])
  expect(arrived).toBe(100 * MEBI)
  expect(held.length).toBe(20)
  expect(Math.max(...held)).toBeLessThan(5 * MEBI)
})

test('sends each chunk as a message, and reads each message as a chunk', async () => {
  const { client, socket } = await openPair()
  const messages = inbox(client)
  const duplex = createWebSocketStream(socket)
  duplex.write('as bytes')
  duplex.write(Buffer.from('bytes'))
  expect(await take(messages, 2)).toEqual([Buffer.from('as bytes'), Buffer.from('bytes')])
  client.send('text')
  expect(await once(duplex, 'data')).toEqual([Buffer.from('text')])
  client.send(Buffer.from('bytes'))
  expect(await once(duplex, 'data')).toEqual([Buffer.from('bytes')])
  client.send('')
  client.send('after an empty one')
  expect(await once(duplex, 'data')).toEqual([Buffer.from('after an empty one')])
})

test.each(['nodebuffer', 'arraybuffer', 'blob'] as const)('reads bytes with binaryType %s', async (type) => {
  const { client, socket } = await openPair()
  socket.binaryType = type
  const duplex = createWebSocketStream(socket)
  client.send(Buffer.from('bytes'))
  expect(await once(duplex, 'data')).toEqual([Buffer.from('bytes')])
})

test("reads text unchanged with textType 'buffer'", async () => {
  const { client, socket } = await openPair({ server: { textType: 'buffer' } })
  const duplex = createWebSocketStream(socket)
  client.send('grüße')
  expect(await once(duplex, 'data')).toEqual([Buffer.from('grüße')])
})

test('sends strings as text with decodeStrings: false, and reads strings in object mode', async () => {
  const { client, socket } = await openPair()
  const messages = inbox(client)
  const duplex = createWebSocketStream(socket, { decodeStrings: false, readableObjectMode: true })
  duplex.write('as text')
  expect(await messages.next()).toBe('as text')
  client.send('')
  client.send('text')
  client.send(Buffer.of(1))
  const chunks: unknown[] = []
  duplex.on('data', (chunk) => chunks.push(chunk))
  client.close()
  await once(duplex, 'close')
  expect(chunks).toEqual(['', 'text', Buffer.of(1)])
})

test('sends what was written while connecting when the socket is open', async () => {
  const { url, next } = await runningServer()
  const duplex = createWebSocketStream(new WebSocket(url))
  duplex.write('early')
  duplex.resume().end()
  const { socket } = await next()
  expect(await text(createWebSocketStream(socket))).toBe('early')
  await closeOfStream(duplex)
})

test('closes the socket once it is open if the stream ended while connecting', async () => {
  const { url, next } = await runningServer()
  const duplex = createWebSocketStream(new WebSocket(url))
  duplex.resume().end()
  const { socket } = await next()
  expect(await closeOf(socket)).toMatchObject({ code: 1005, wasClean: true })
  await closeOfStream(duplex)
})

test.each([
  ['the attempt to connect fails', () => undefined],
  ['it is destroyed', (duplex: Duplex) => duplex.destroy()],
  ['it is destroyed with an error', (duplex: Duplex) => duplex.destroy(new Error('enough'))],
])('calls back for everything that was written while connecting if %s', async (_name, act) => {
  const duplex = createWebSocketStream(new WebSocket('ws://127.0.0.1:1'))
  duplex.on('error', () => undefined)
  const results = ['first', 'second'].map(
    (text) => new Promise<unknown>((resolve) => duplex.write(text, resolve)),
  )
  act(duplex)
  for (const result of await Promise.all(results)) expect(result).toBeInstanceOf(Error)
})

test('is destroyed with the cause if the attempt to connect fails', async () => {
  const { url } = await scriptedServer((_request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'))
  const duplex = createWebSocketStream(new WebSocket(url))
  duplex.write('never sent')
  const [error] = (await once(duplex, 'error')) as [Error]
  expect(error.message).toBe('403 Forbidden')
  expect(duplex.destroyed).toBe(true)
})

describe('the end of', () => {
  test("the stream closes the socket, before 'finish' and 'close'", async () => {
    const { client, socket } = await openPair()
    const duplex = createWebSocketStream(client)
    const events: string[] = []
    for (const event of ['finish', 'end', 'close']) duplex.on(event, () => events.push(event))
    client.on('close', () => events.push('closed'))
    duplex.resume().end('last')
    expect(await once(socket, 'message')).toEqual([Buffer.from('last'), true])
    await once(duplex, 'close')
    expect(events[0]).toBe('closed')
    expect(events.slice(1).sort()).toEqual(['close', 'end', 'finish'])
    expect(events.at(-1)).toBe('close')
  })

  test('the connection ends the stream after everything that was received', async () => {
    const { client, socket } = await openPair()
    for (let sent = 0; sent < 100; sent++) client.send(Buffer.alloc(1000, sent))
    client.close(1000)
    const duplex = createWebSocketStream(socket)
    const bytes = await buffer(duplex)
    expect(bytes.length).toBe(100_000)
    await closeOfStream(duplex)
    expect(duplex.writableFinished).toBe(true)
  })

  test('the connection allows the program to end its side later', async () => {
    const { client, socket } = await openPair()
    const duplex = createWebSocketStream(socket, { allowHalfOpen: true })
    client.close()
    duplex.resume()
    await once(duplex, 'end')
    expect(duplex.writable).toBe(true)
    duplex.end()
    await once(duplex, 'close')
    expect(duplex.writableFinished).toBe(true)
  })

  test('the connection makes a later write fail', async () => {
    const { client, socket } = await openPair()
    const duplex = createWebSocketStream(socket, { allowHalfOpen: true })
    client.close()
    await closeOf(socket)
    const failed = once(duplex, 'error')
    const error = await new Promise((resolve) => duplex.write('late', resolve))
    expect(error).toEqual(new Error('WebSocket is not open: readyState 3 (CLOSED)'))
    expect(await failed).toEqual([error])
  })

  test('the connection may precede the stream', async () => {
    const { client, socket } = await openPair()
    client.close()
    await closeOf(socket)
    expect(await text(createWebSocketStream(socket))).toBe('')
  })
})

describe('a connection that breaks', () => {
  test('destroys the stream with the cause', async () => {
    const { request, socket } = await openPair()
    const duplex = createWebSocketStream(socket)
    duplex.resume()
    request.socket.destroy(new Error('cable cut'))
    expect(await once(duplex, 'error')).toEqual([new Error('cable cut')])
    await closeOfStream(duplex)
  })

  test('destroys the stream with an error if there is no cause', async () => {
    const { client, socket } = await openPair()
    const duplex = createWebSocketStream(socket)
    client.terminate()
    const [error] = (await once(duplex.resume(), 'error')) as [Error]
    expect(error.message).toMatch(/without a Close frame|ECONNRESET/)
  })

  test('destroys the stream with the violation of the peer', async () => {
    const { client, socket } = await openPair({ client: { maxPayload: 10 } })
    const duplex = createWebSocketStream(client)
    socket.send('longer than ten')
    const [error] = (await once(duplex.resume(), 'error')) as [Error]
    expect(error.message).toMatch(/maxPayload|10/)
  })

  test('causes no uncaught exception without a listener', async () => {
    const errors = uncaught()
    const { request, socket } = await openPair()
    const duplex = createWebSocketStream(socket)
    const written = new Promise((resolve) => duplex.write(Buffer.alloc(20 * MEBI), resolve))
    request.socket.destroy(new Error('cable cut'))
    await closeOfStream(duplex)
    expect(await written).toBeInstanceOf(Error)
    await settled()
    expect(errors).toEqual([])
  })

  test('rejects a pipeline', async () => {
    const { client, socket } = await openPair()
    const received = pipeline(createWebSocketStream(socket), new PassThrough().resume())
    client.terminate()
    await expect(received).rejects.toThrow()
  })
})

describe('destroy()', () => {
  test('ends the connection at once', async () => {
    const { client, socket } = await openPair()
    const duplex = createWebSocketStream(client)
    const error = new Error('enough')
    const closed = closeOf(socket)
    duplex.destroy(error)
    expect(await once(duplex, 'error')).toEqual([error])
    expect(client.readyState).toBe(WebSocket.CLOSED)
    expect((await closed).code).toBe(1006)
  })

  test('works on a connecting socket', async () => {
    const { url } = await runningServer()
    const socket = new WebSocket(url)
    const duplex = createWebSocketStream(socket)
    duplex.destroy()
    await once(duplex, 'close')
    expect(socket.readyState).toBe(WebSocket.CLOSED)
  })

  test('works on a closed socket', async () => {
    const { client, socket } = await openPair()
    const duplex = createWebSocketStream(socket)
    client.close()
    await closeOf(socket)
    duplex.destroy()
    await once(duplex, 'close')
  })

  test('works on an unread stream whose connection broke', async () => {
    const { client, socket, request } = await openPair()
    const duplex = createWebSocketStream(socket, { readableHighWaterMark: 1 })
    client.send('one')
    client.send('two')
    await once(duplex, 'readable')
    request.socket.destroy()
    await settled()
    duplex.destroy()
    await once(duplex, 'close')
    expect(socket.readyState).toBe(WebSocket.CLOSED)
  })

  test('stops the delivery of messages', async () => {
    const { client, socket } = await openPair()
    const duplex = createWebSocketStream(socket)
    const error = vi.fn()
    duplex.on('error', error)
    for (let sent = 0; sent < 10; sent++) client.send('x')
    duplex.once('data', () => duplex.destroy())
    await once(duplex, 'close')
    expect(error).not.toHaveBeenCalled()
  })
})

describe('backpressure', () => {
  test('stops reading from the peer until the stream is read', async () => {
    const { client, socket } = await openPair()
    const duplex = createWebSocketStream(socket)
    const count = 2000
    let sent = 0
    const sending = (async () => {
      for (; sent < count; sent++) if (!client.send(Buffer.alloc(10_000, sent))) await once(client, 'drain')
    })()
    // Once the buffers of both sockets are full, the sender has to wait.
    let before = -1
    while (sent !== before) {
      before = sent
      await settled()
    }
    expect(sent).toBeLessThan(count)
    expect(socket.isPaused).toBe(true)
    let bytes = 0
    for await (const chunk of duplex) {
      bytes += (chunk as Buffer).length
      if (bytes === count * 10_000) break
    }
    await sending
    expect(bytes).toBe(count * 10_000)
  })

  test('delays the callback of a write until the peer reads', async () => {
    const { client, socket } = await openPair()
    client.pause()
    const duplex = createWebSocketStream(socket)
    const written: number[] = []
    for (let index = 0; index < 40; index++) duplex.write(Buffer.alloc(MEBI), () => written.push(index))
    let before = -1
    while (written.length !== before) {
      before = written.length
      for (let count = 0; count < 20; count++) await turn()
    }
    expect(written.length).toBeLessThan(40)
    const last = once(duplex, 'drain')
    const messages = inbox(client)
    client.resume()
    await take(messages, 40)
    await last
    expect(written).toEqual(Array.from({ length: 40 }, (_, index) => index))
  })
})

test('works on a socket from connect()', async () => {
  const { url, next } = await runningServer()
  const [client, { socket }] = await Promise.all([connect(url), next()])
  createWebSocketStream(socket).pipe(new PassThrough()).resume()
  await pipeline(Readable.from(['a', 'b']), createWebSocketStream(client))
  expect(client.readyState).toBe(WebSocket.CLOSED)
})

test.each([
  ['an object', { a: 1 }],
  ['a symbol', Symbol('a')],
])("emits 'error' for %s that is written in object mode (F20)", async (_name, chunk) => {
  const { socket } = await openPair()
  const stream = createWebSocketStream(socket, { objectMode: true })
  const failed = once(stream, 'error')
  stream.write(chunk)
  expect((await failed)[0]).toBeInstanceOf(TypeError)
})
