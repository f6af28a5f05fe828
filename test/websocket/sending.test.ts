import { once } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import type { SendOptions, WriteCallback } from 'hubwire'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { inbox, take } from '../support/inbox.js'
import { memoryPair } from '../support/memory-pair.js'
import { openPair } from '../support/open-pair.js'
import { pausedClient } from '../support/paused-client.js'
import { openAsClient } from '../support/raw-handshake.js'
import { runningServer } from '../support/running-server.js'

const bytes = Buffer.from([0, 1, 2, 253, 254, 255])

/** `bytes` in the middle of a larger memory. */
function surrounded(): ArrayBuffer {
  const memory = new Uint8Array(64).fill(0x77)
  memory.set(bytes, 16)
  return memory.buffer
}

describe('send()', () => {
  test.each([
    ['sends text', 'grüße 🙂', 'grüße 🙂', false],
    ['sends empty text', '', '', false],
    ['sends a number as text', 42.5, '42.5', false],
    ['sends a Buffer', bytes, bytes, true],
    ['sends an empty Buffer', Buffer.alloc(0), Buffer.alloc(0), true],
    ['sends part of a Buffer', Buffer.from(surrounded()).subarray(16, 22), bytes, true],
    ['sends a view with an offset', new Uint8Array(surrounded(), 16, 6), bytes, true],
    ['sends a view of wider elements', new Uint16Array(surrounded(), 16, 3), bytes, true],
    ['sends a DataView', new DataView(surrounded(), 16, 6), bytes, true],
    ['sends an ArrayBuffer', surrounded().slice(16, 22), bytes, true],
    ['sends a Blob', new Blob([bytes.subarray(0, 2), bytes.subarray(2)]), bytes, true],
  ])('%s', async (_name, data, expected, isBinary) => {
    const { client, socket } = await openPair()
    client.send(data)
    expect(await once(socket, 'message')).toEqual([expected, isBinary])
    socket.send(data)
    expect(await once(client, 'message')).toEqual([expected, isBinary])
  })

  test('sends a SharedArrayBuffer', async () => {
    const { client, socket } = await openPair()
    const shared = new SharedArrayBuffer(6)
    new Uint8Array(shared).set(bytes)
    client.send(shared)
    expect(await once(socket, 'message')).toEqual([bytes, true])
  })

  test.each([
    ['undefined', undefined, /undefined is not/],
    ['null', null, /null is not/],
    ['true', true, /true is not/],
    ['a bigint', 10n, /10 is not/],
    ['a function', () => 1, /a function is not/],
    ['an object', { data: 'x' }, /an object \(Object\) is not.*JSON\.stringify/s],
    ['an array', [1, 2, 3], /\[ ?1, ?2, ?3 ?\] is not/],
    ['an object without a prototype', Object.create(null), /an object \(without a class\) is not/],
  ])('throws a TypeError for %s, and sends nothing', async (_name, data, message) => {
    const { client, socket } = await openPair()
    const messages = inbox(socket)
    for (const send of ['send', 'ping', 'pong'] as const) {
      // A Ping without data (null counts as none) has an empty payload, and a function is its callback.
      if ((data === undefined || data === null || typeof data === 'function') && send !== 'send') continue
      expect(() => {
        Reflect.apply(client[send], client, [data])
      }).toThrow(TypeError)
      expect(() => {
        Reflect.apply(client[send], client, [data])
      }).toThrow(message)
    }
    client.send('after')
    expect(await messages.next()).toBe('after')
  })

  test('sends bytes as text and text as bytes with the option binary', async () => {
    const { client, socket } = await openPair()
    client.send(Buffer.from('text'), { binary: false })
    expect(await once(socket, 'message')).toEqual(['text', false])
    client.send('bytes', { binary: true })
    expect(await once(socket, 'message')).toEqual([Buffer.from('bytes'), true])
    client.send(new Blob(['text of a Blob']), { binary: false })
    expect(await once(socket, 'message')).toEqual(['text of a Blob', false])
  })

  test.each([
    0, 1, 125, 126, 127, 682, 683, 2047, 2048, 2049, 16_383, 16_384, 16_385, 65_535, 65_536, 300_000,
  ])('sends text and bytes of length %i', async (length) => {
    const { client, socket } = await openPair()
    const texts = ['a', 'ü', '€', '🙂'].map((character) => character.repeat(length).slice(0, length))
    const messages = inbox(socket)
    const echoes = inbox(client)
    socket.on('message', (data) => {
      socket.send(data)
    })
    // A cut emoji leaves a lone surrogate, which is sent as U+FFFD.
    const expected = texts.map((text) => Buffer.from(text).toString())
    const binary = Buffer.alloc(length, 'bytes')
    for (const text of texts) client.send(text)
    client.send(binary)
    for (const queue of [messages, echoes]) {
      const received = await take(queue, 5)
      // `toEqual` takes seconds to compare Buffers of this length.
      expect(received.slice(0, 4).map((text, index) => text === expected[index])).toEqual(Array(4).fill(true))
      expect(binary.equals(received[4] as Buffer)).toBe(true)
    }
  })

  test('does not change the data', async () => {
    const { client, socket } = await openPair()
    for (const length of [100, 20_000]) {
      const data = Buffer.alloc(length, 'unmasked')
      client.send(data)
      await once(socket, 'message')
      expect(data.equals(Buffer.alloc(length, 'unmasked'))).toBe(true)
    }
  })

  test('copies short data, which can be changed after it returns', async () => {
    const { client, socket } = await openPair()
    const data = Buffer.alloc(1000, 'before')
    socket.send(data)
    data.fill('after!')
    expect(await once(client, 'message')).toEqual([Buffer.alloc(1000, 'before'), true])
  })

  test('fails the connection if a Blob cannot be read, and sends nothing after it', async () => {
    const { client, socket } = await openPair()
    const unreadable = new Blob(['x'])
    vi.spyOn(unreadable, 'arrayBuffer').mockRejectedValue(new Error('unreadable'))
    const messages = vi.fn()
    const errors = vi.fn()
    socket.on('message', messages)
    client.on('error', errors)
    const closes = Promise.all([closeOf(client), closeOf(socket)])
    const failures = [unreadable, 'after'].map((data) => new Promise((resolve) => client.send(data, resolve)))
    const [ours, theirs] = await closes
    expect(ours).toMatchObject({ code: 1006, wasClean: false, initiator: 'local' })
    expect(ours.cause).toMatchObject({ message: expect.stringContaining('unreadable') as string })
    expect(await Promise.all(failures)).toEqual([ours.cause, ours.cause])
    expect(errors.mock.calls).toEqual([[ours.cause]])
    expect(theirs).toMatchObject({ code: 1006, initiator: 'remote' })
    expect(messages).not.toHaveBeenCalled()
  })

  test('keeps messages and the Close frame after a Blob in order', async () => {
    const { client, socket } = await openPair()
    const messages = inbox(socket)
    const pings = vi.fn()
    socket.on('ping', pings)
    client.send(new Blob(['1']))
    client.send('2')
    client.send(new Blob(['3']))
    client.ping('4')
    client.send(new Blob(['5']))
    client.close(1000, 'done')
    expect(client.bufferedAmount).toBeGreaterThan(0)
    expect((await closeOf(socket)).reason).toBe('done')
    expect(await take(messages, 4)).toEqual([Buffer.from('1'), '2', Buffer.from('3'), Buffer.from('5')])
    expect(pings).toHaveBeenCalledExactlyOnceWith(Buffer.from('4'))
  })
})

describe('fragments (RFC 6455 section 5.4)', () => {
  test('are sent as frames, with control frames between them', async () => {
    const { port, next } = await runningServer()
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    socket.send('a', { fin: false })
    socket.ping('between')
    socket.send('b', { fin: false })
    socket.send('c', { fin: true })
    socket.send('d')
    const frames = [
      await peer.next(),
      await peer.next(),
      await peer.next(),
      await peer.next(),
      await peer.next(),
    ]
    expect(frames.map((frame) => [frame?.opcode, frame?.fin, frame?.payload.toString()])).toEqual([
      [1, false, 'a'],
      [9, true, 'between'],
      [0, false, 'b'],
      [0, true, 'c'],
      [1, true, 'd'],
    ])
  })

  test('arrive as one message', async () => {
    const { client, socket } = await openPair()
    const parts = ['', 'x'.repeat(20_000), 'ü', '']
    for (const [index, part] of parts.entries()) client.send(part, { fin: index === 3 })
    expect(await once(socket, 'message')).toEqual([parts.join(''), false])
    client.send(Buffer.of(1), { fin: false })
    client.send(new Blob([Buffer.of(2)]), { fin: false })
    client.send(Buffer.of(3))
    expect(await once(socket, 'message')).toEqual([Buffer.of(1, 2, 3), true])
  })

  test('delay a broadcast until their message is complete', async () => {
    const { Hub } = await import('hubwire')
    const { client, socket } = await openPair()
    const messages = inbox(client)
    const group = new Hub().group('g').add(socket)
    socket.send('a', { fin: false })
    expect(group.broadcast('one')).toEqual({ delivered: 1, skipped: 0 })
    group.broadcast('two')
    expect(socket.bufferedAmount).toBe('a'.length + 'one'.length + 'two'.length)
    socket.send('b')
    group.broadcast('three')
    expect(await take(messages, 4)).toEqual(['ab', 'one', 'two', 'three'])
  })
})

describe('masking keys', () => {
  test('come from generateMask, one for each frame, if it is given', async () => {
    let count = 0
    const { client, socket, clientEnd } = await memoryPair({
      client: {
        generateMask: (bytes) => {
          bytes.fill(++count)
        },
      },
    })
    const messages = inbox(socket)
    client.send('a')
    client.send(Buffer.alloc(20_000))
    await take(messages, 2)
    const bytes = clientEnd.bytes
    expect(bytes.subarray(0, 7)).toEqual(Buffer.of(0x81, 0x81, 1, 1, 1, 1, 0x61 ^ 1))
    expect(bytes.subarray(7, 16)).toEqual(Buffer.of(0x82, 0xfe, 0x4e, 0x20, 2, 2, 2, 2, 2))
  })

  test('are random by default and differ from frame to frame', async () => {
    const { client, socket, clientEnd } = await memoryPair()
    const messages = inbox(socket)
    // More keys than are generated at a time.
    const count = 5000
    for (let sent = 0; sent < count; sent++) client.send('')
    await take(messages, count)
    const bytes = clientEnd.bytes
    const keys = new Set(Array.from({ length: count }, (_, index) => bytes.readUInt32BE(index * 6 + 2)))
    expect(bytes.length).toBe(count * 6)
    expect(keys.size).toBeGreaterThan(count - 5)
  })
})

describe('callbacks', () => {
  test('are called once each and in order when the bytes are written', async () => {
    const { client, socket } = await openPair()
    const called: unknown[] = []
    const report =
      (name: string) =>
      (error?: Error | null): void => {
        called.push([name, error ?? undefined])
      }
    client.send('short', report('short'))
    client.send('options', { binary: true }, report('options'))
    client.send('x'.repeat(50_000), report('long text'))
    client.send(Buffer.alloc(50_000), report('long bytes'))
    client.send('fragment', { fin: false }, report('fragment'))
    client.ping(report('ping without data'))
    client.ping('data', report('ping'))
    client.pong('data', true, report('pong'))
    client.send('end', report('end'))
    expect(called).toEqual([])
    const closed = closeOf(client)
    await once(socket, 'pong')
    client.close()
    await closed
    await settled()
    const names = [
      'short',
      'options',
      'long text',
      'long bytes',
      'fragment',
      'ping without data',
      'ping',
      'pong',
      'end',
    ]
    expect(called).toEqual(names.map((name) => [name, undefined]))
  })

  test('receive an error once each if the connection breaks before the bytes are written', async () => {
    const { port, next } = await runningServer({ perMessageDeflate: { threshold: 0 } })
    const [peer, { socket }] = await Promise.all([pausedClient(port), next()])
    const callback = vi.fn<(error?: Error | null) => void>()
    for (let sent = 0; sent < 8; sent++) socket.send(Buffer.alloc(1024 * 1024), callback)
    socket.send('short', callback)
    socket.ping('data', callback)
    const closed = closeOf(socket)
    socket.terminate()
    await closed
    await settled()
    expect(callback.mock.calls.length).toBe(10)
    const last = callback.mock.calls.slice(-3)
    expect(last.every(([error]) => error instanceof Error)).toBe(true)
    peer.destroy()
  })

  test('receive an error if the socket is already destroyed', async () => {
    const { socket, serverEnd } = await memoryPair()
    serverEnd.destroy()
    const error = await new Promise((resolve) => {
      expect(socket.send('x', resolve)).toBe(true)
    })
    expect(error).toBeInstanceOf(Error)
  })

  test('receive an error on a closing or closed socket, where send() returns false', async () => {
    const { client, socket } = await openPair()
    const closed = closeOf(socket)
    client.close()
    expect(client.send('x')).toBe(false)
    expect(await new Promise((resolve) => client.send('x', resolve))).toEqual(
      new Error('WebSocket is not open: readyState 2 (CLOSING)'),
    )
    await closed
    const sends: ((callback: WriteCallback) => unknown)[] = [
      (callback) => socket.send('x', callback),
      (callback) => socket.send(new Blob(['x']), {}, callback),
      (callback) => {
        socket.ping('x', callback)
      },
      (callback) => {
        socket.pong(callback)
      },
    ]
    for (const send of sends) {
      const error = await new Promise((resolve) => {
        send(resolve)
      })
      expect(error).toEqual(new Error('WebSocket is not open: readyState 3 (CLOSED)'))
    }
    socket.ping()
  })
})

describe('backpressure', () => {
  test('is measured by bufferedAmount, in bytes of messages that the socket has not accepted', async () => {
    const { client, socket, clientEnd, serverEnd } = await memoryPair()
    expect(socket.bufferedAmount).toBe(0)
    serverEnd.stall()
    clientEnd.stall()
    let expected = 0
    for (const length of [0, 125, 126, 2000, 16_000, 70_000]) {
      socket.send(Buffer.alloc(length))
      socket.send('x'.repeat(length))
      client.send(Buffer.alloc(length))
      client.send('x'.repeat(length))
      expected += 2 * length
      expect(socket.bufferedAmount).toBe(expected)
      expect(client.bufferedAmount).toBe(expected)
    }
    socket.send('ü')
    socket.ping('12345')
    expect(socket.bufferedAmount).toBe(expected + 2)
    // Before the turn ends and after it.
    await settled()
    expect(socket.bufferedAmount).toBe(expected + 2)
    serverEnd.release()
    clientEnd.release()
    await settled()
    expect(socket.bufferedAmount).toBe(0)
    expect(client.bufferedAmount).toBe(0)
  })

  test("makes send() return false above the socket's high-water mark, and ends with one 'drain'", async () => {
    const { socket, serverEnd } = await memoryPair()
    const drained = vi.fn()
    socket.on('drain', drained)
    serverEnd.stall()
    const mark = serverEnd.writableHighWaterMark
    const answers: boolean[] = []
    let waiting = 0
    while (waiting < mark + 10_000) {
      waiting += 1000
      expect(socket.send(Buffer.alloc(996))).toBe(waiting < mark)
      answers.push(waiting < mark)
    }
    expect(answers).toContain(true)
    expect(answers).toContain(false)
    await settled()
    expect(drained).not.toHaveBeenCalled()
    serverEnd.release()
    await once(socket, 'drain')
    expect(socket.bufferedAmount).toBe(0)
    await settled()
    expect(drained).toHaveBeenCalledTimes(1)
    expect(socket.send('x')).toBe(true)
    await settled()
    expect(drained).toHaveBeenCalledTimes(1)
  })

  test("ends with 'drain' even if the bytes are written within the same tick", async () => {
    const { client, socket } = await openPair()
    const messages = inbox(client)
    expect(socket.send(Buffer.alloc(200_000))).toBe(false)
    await once(socket, 'drain')
    expect(socket.send(new Blob([Buffer.alloc(200_000)]))).toBe(false)
    await once(socket, 'drain')
    await take(messages, 2)
  })

  test("bounds the memory of a program that waits for 'drain', without loss", async () => {
    const { client, socket } = await openPair()
    const messages = inbox(client)
    const count = 200
    let most = 0
    for (let sent = 0; sent < count; sent++) {
      if (!socket.send(Buffer.alloc(10_000, sent))) await once(socket, 'drain')
      most = Math.max(most, socket.bufferedAmount)
    }
    const all = await take(messages, count)
    expect(all.every((data, index) => (data as Buffer).equals(Buffer.alloc(10_000, index)))).toBe(true)
    expect(most).toBeLessThan(200_000)
  })
})

describe('one write per turn', () => {
  test('contains a burst of 100 messages', async () => {
    const { client, socket, clientEnd, serverEnd } = await memoryPair()
    const messages = inbox(client)
    for (let sent = 0; sent < 100; sent++) socket.send(`message ${sent}`)
    for (let sent = 0; sent < 100; sent++) client.send(`message ${sent}`)
    await take(messages, 100)
    expect(serverEnd.batches.map((batch) => batch.length)).toEqual([1])
    expect(clientEnd.batches.map((batch) => batch.length)).toEqual([1])
  })

  test('contains a burst of 100 messages on a TCP socket', async () => {
    const { client, socket, request } = await openPair()
    const messages = inbox(client)
    const write = vi.spyOn(request.socket, 'write')
    for (let sent = 0; sent < 100; sent++) socket.send(`message ${sent}`)
    await take(messages, 100)
    expect(write).toHaveBeenCalledTimes(1)
  })

  test('contains the answers to all frames of a chunk, before the tick ends', async () => {
    const { socket, clientEnd, serverEnd } = await memoryPair()
    let read = 0
    socket.on('message', (data) => {
      read++
      socket.send(data)
      expect(serverEnd.batches.length).toBe(0)
    })
    const leaves = vi.spyOn(serverEnd, 'write')
    const order: string[] = []
    serverEnd.on('data', () => order.push(`chunk handled, ${leaves.mock.calls.length} write`))
    const frame = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x61])
    clientEnd.write(Buffer.concat(Array<Buffer>(50).fill(frame)))
    await settled()
    expect(read).toBe(50)
    expect(order).toEqual(['chunk handled, 1 write'])
  })

  test('contains long payloads without a copy, together with short ones', async () => {
    const { socket, serverEnd } = await memoryPair()
    const long = Buffer.alloc(100_000, 'long')
    socket.send('before')
    socket.send(long)
    socket.send('between')
    socket.send('x'.repeat(30_000))
    socket.send('after')
    await settled()
    expect(serverEnd.batches.length).toBe(1)
    expect(
      serverEnd.batches[0]?.some((chunk) => chunk.buffer === long.buffer && chunk.length === 100_000),
    ).toBe(true)
  })

  test('contains all messages that waited for a slow reader', async () => {
    const { client, socket, serverEnd } = await memoryPair()
    const messages = inbox(client)
    serverEnd.stall()
    for (let sent = 0; sent < 50; sent++) {
      socket.send(`message ${sent}`)
      await settled()
    }
    serverEnd.release()
    expect(await take(messages, 50)).toEqual(Array.from({ length: 50 }, (_, index) => `message ${index}`))
    expect(serverEnd.batches.length).toBe(2)
  })
})

test('sends the frames that the options of send() ask for', async () => {
  const { port, next } = await runningServer({ perMessageDeflate: { threshold: 10 } })
  const [{ peer }, { socket }] = await Promise.all([
    openAsClient(port, { 'Sec-WebSocket-Extensions': 'permessage-deflate' }),
    next(),
  ])
  const cases: [string, SendOptions, number, boolean, number][] = [
    ['text that is long enough', {}, 1, true, 4],
    ['text that is long enough', { compress: false }, 1, true, 0],
    ['short', {}, 1, true, 0],
    ['text that is long enough', { binary: true, fin: false }, 2, false, 4],
    ['text that is long enough', { compress: false }, 0, true, 0],
  ]
  for (const [data, options] of cases) socket.send(data, options)
  for (const [, , opcode, fin, rsv] of cases) expect(await peer.next()).toMatchObject({ opcode, fin, rsv })
  peer.destroy()
})
