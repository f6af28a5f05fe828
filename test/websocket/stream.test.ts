import { once } from 'node:events'
import { type Duplex, PassThrough, Readable, Writable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { finished, pipeline } from 'node:stream/promises'
import { connect, createWebSocketStream, WebSocket } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled, turn } from '../support/event-loop.js'
import { collectGarbage } from '../support/garbage-collection.js'
import { inbox, take } from '../support/inbox.js'
import { openPair } from '../support/open-pair.js'
import { runningServer } from '../support/running-server.js'
import { scriptedServer } from '../support/scripted-server.js'
import { uncaught } from '../support/uncaught.js'

const MEBI = 1024 * 1024

/** Without a listener for `'error'`, which `once` of node:events has. */
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

  test('pipeline() carries both directions to their ends', async () => {
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

test('a hundred mebibytes pass through compression without staying', async () => {
  const { client, socket } = await openPair({
    server: { perMessageDeflate: { threshold: 0 } },
    client: { perMessageDeflate: { threshold: 0 } },
  })
  const block = Buffer.alloc(64 * 1024, 'not quite random ')
  const blocks = (100 * MEBI) / block.length
  await collectGarbage()
  const before = process.memoryUsage.rss()
  let most = 0
  let arrived = 0
  // Both ends are slower than the program that writes: the sink takes a turn for each chunk.
  const sink = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      arrived += chunk.length
      most = Math.max(most, process.memoryUsage.rss())
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
  expect(most - before).toBeLessThan(60 * MEBI)
})

test('each chunk written is a message, each message a chunk', async () => {
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

test.each(['nodebuffer', 'arraybuffer', 'blob'] as const)('bytes are bytes with %s', async (type) => {
  const { client, socket } = await openPair()
  socket.binaryType = type
  const duplex = createWebSocketStream(socket)
  client.send(Buffer.from('bytes'))
  expect(await once(duplex, 'data')).toEqual([Buffer.from('bytes')])
})

test('text as a Buffer is not copied out of shape', async () => {
  const { client, socket } = await openPair({ server: { textType: 'buffer' } })
  const duplex = createWebSocketStream(socket)
  client.send('grüße')
  expect(await once(duplex, 'data')).toEqual([Buffer.from('grüße')])
})

test('options of the Duplex: strings go out as text, and come in as strings in object mode', async () => {
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

test('what is written while the socket connects goes out when it is open', async () => {
  const { url, next } = await runningServer()
  const duplex = createWebSocketStream(new WebSocket(url))
  duplex.write('early')
  duplex.resume().end()
  const { socket } = await next()
  expect(await text(createWebSocketStream(socket))).toBe('early')
  await closeOfStream(duplex)
})

test('a stream that ends while the socket connects closes it once it is open', async () => {
  const { url, next } = await runningServer()
  const duplex = createWebSocketStream(new WebSocket(url))
  duplex.resume().end()
  const { socket } = await next()
  expect(await closeOf(socket)).toMatchObject({ code: 1005, wasClean: true })
  await closeOfStream(duplex)
})

test('an attempt to connect that fails destroys the stream with the cause', async () => {
  const { url } = await scriptedServer((_request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'))
  const duplex = createWebSocketStream(new WebSocket(url))
  duplex.write('never sent')
  const [error] = (await once(duplex, 'error')) as [Error]
  expect(error.message).toBe('403 Forbidden')
  expect(duplex.destroyed).toBe(true)
})

describe('the end', () => {
  test("of the stream closes the socket, and 'finish' and 'close' wait for it", async () => {
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

  test('of the connection ends the stream behind all that had come', async () => {
    const { client, socket } = await openPair()
    for (let sent = 0; sent < 100; sent++) client.send(Buffer.alloc(1000, sent))
    client.close(1000)
    const duplex = createWebSocketStream(socket)
    const bytes = await buffer(duplex)
    expect(bytes.length).toBe(100_000)
    await closeOfStream(duplex)
    expect(duplex.writableFinished).toBe(true)
  })

  test('of the connection, with a program that ends its side later', async () => {
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

  test('of the connection while a program still writes is an error of the write', async () => {
    const { client, socket } = await openPair()
    const duplex = createWebSocketStream(socket, { allowHalfOpen: true })
    client.close()
    await closeOf(socket)
    const failed = once(duplex, 'error')
    const error = await new Promise((resolve) => duplex.write('late', resolve))
    expect(error).toEqual(new Error('The WebSocket is not open: readyState is 3 (CLOSED)'))
    expect(await failed).toEqual([error])
  })

  test('came before the stream was made', async () => {
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

  test('without a cause destroys it with one that says so', async () => {
    const { client, socket } = await openPair()
    const duplex = createWebSocketStream(socket)
    client.terminate()
    const [error] = (await once(duplex.resume(), 'error')) as [Error]
    expect(error.message).toMatch(/without a Close frame|ECONNRESET/)
  })

  test('by a fault of the peer that it answers with Close too', async () => {
    const { client, socket } = await openPair({ client: { maxPayload: 10 } })
    const duplex = createWebSocketStream(client)
    socket.send('longer than ten')
    const [error] = (await once(duplex.resume(), 'error')) as [Error]
    expect(error.message).toMatch(/maxPayload|10/)
  })

  test('is no uncaught exception where nobody listens', async () => {
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

  test('of one that has not connected yet', async () => {
    const { url } = await runningServer()
    const socket = new WebSocket(url)
    const duplex = createWebSocketStream(socket)
    duplex.destroy()
    await once(duplex, 'close')
    expect(socket.readyState).toBe(WebSocket.CLOSED)
  })

  test('of one whose connection is closed', async () => {
    const { client, socket } = await openPair()
    const duplex = createWebSocketStream(socket)
    client.close()
    await closeOf(socket)
    duplex.destroy()
    await once(duplex, 'close')
  })

  test('of one that nobody reads, behind a connection that broke', async () => {
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

  test('takes no more messages', async () => {
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
  test('what is not read stops reading from the peer, and goes on when it is', async () => {
    const { client, socket } = await openPair()
    const duplex = createWebSocketStream(socket)
    const count = 2000
    let sent = 0
    const sending = (async () => {
      for (; sent < count; sent++) if (!client.send(Buffer.alloc(10_000, sent))) await once(client, 'drain')
    })()
    // The buffers of both sockets fill, and then the sender has to wait.
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

  test('a write waits until the peer takes it', async () => {
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

test('over connect()', async () => {
  const { url, next } = await runningServer()
  const [client, { socket }] = await Promise.all([connect(url), next()])
  createWebSocketStream(socket).pipe(new PassThrough()).resume()
  await pipeline(Readable.from(['a', 'b']), createWebSocketStream(client))
  expect(client.readyState).toBe(WebSocket.CLOSED)
})

test.each([
  ['an object', { a: 1 }],
  ['a symbol', Symbol('a')],
])('%s that is written in object mode is an error of the stream (F20)', async (_name, chunk) => {
  const { socket } = await openPair()
  const stream = createWebSocketStream(socket, { objectMode: true })
  const failed = once(stream, 'error')
  stream.write(chunk)
  expect((await failed)[0]).toBeInstanceOf(TypeError)
})
