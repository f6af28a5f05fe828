import { Hub } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled, until } from '../support/event-loop.js'
import { inbox, take } from '../support/inbox.js'
import { memoryPair } from '../support/memory-pair.js'
import { FrameReader } from '../support/raw-frame.js'
import { replaceInZlib } from '../support/replace-in-zlib.js'
import { noise } from '../support/sample-messages.js'

const compressed = { server: { perMessageDeflate: true }, client: { perMessageDeflate: true } }

function texts(bytes: Buffer): string[] {
  return new FrameReader().push(bytes).map(({ payload }) => payload.toString())
}

/** Long enough for the thread pool. */
const long = 'abcdefgh'.repeat(20_000)

describe('while a message is compressed in the thread pool', () => {
  test('keeps messages, Blobs, fragments, control frames, broadcasts and Close in order behind it', async () => {
    const { client, socket } = await memoryPair(compressed)
    const group = new Hub().group('g').add(socket)
    const order: unknown[] = []
    client.on('message', (data) => order.push(String(data as string | Buffer)))
    client.on('ping', (data) => order.push(`ping ${String(data)}`))
    client.on('pong', (data) => order.push(`pong ${String(data)}`))
    const closed = closeOf(client)
    socket.send(long)
    socket.send('short')
    socket.ping('1')
    socket.send(new Blob(['blob']))
    socket.pong('2')
    group.broadcast('broadcast')
    socket.send('a', { fin: false })
    socket.ping('3')
    group.broadcast('behind the fragments')
    socket.send(long)
    socket.send(Buffer.from(long), { compress: false })
    socket.send('x'.repeat(2000))
    socket.close(4000, 'the end')
    expect(socket.send('too late')).toBe(false)
    expect(await closed).toMatchObject({ code: 4000, reason: 'the end', wasClean: true })
    expect(order.map((text) => String(text).replaceAll(long, 'long'))).toEqual([
      'long',
      'short',
      'ping 1',
      'blob',
      'pong 2',
      'broadcast',
      'ping 3',
      'along',
      'behind the fragments',
      'long',
      'x'.repeat(2000),
    ])
  })

  test('keeps broadcasts between fragments when the last fragment is compressed in the thread pool too', async () => {
    const { client, socket } = await memoryPair(compressed)
    const messages = inbox(client)
    const group = new Hub().group('g').add(socket)
    socket.send(long)
    socket.send('y'.repeat(2000), { fin: false })
    group.broadcast('between')
    socket.send(long)
    socket.send('after')
    const received = await take(messages, 4)
    expect(received.map((data) => String(data as string | Buffer).replace(long, 'long'))).toEqual([
      'long',
      `${'y'.repeat(2000)}long`,
      'between',
      'after',
    ])
    await settled()
    expect(socket.bufferedAmount).toBe(0)
  })

  test('counts what waits as buffered, and nothing once it is sent', async () => {
    const { client, socket } = await memoryPair(compressed)
    const messages = inbox(client)
    const group = new Hub().group('g').add(socket)
    let expected = 0
    const waits = (length: number): void => {
      expected += length
      expect(socket.bufferedAmount).toBe(expected)
    }
    socket.send(long)
    waits(long.length)
    socket.send('ü')
    waits(2)
    socket.send(new Blob(['blob']))
    waits(4)
    socket.ping('123')
    // Control frames are not data of the application (WHATWG).
    waits(0)
    group.broadcast('broadcast')
    waits(9)
    await take(messages, 4)
    await settled()
    expect(socket.bufferedAmount).toBe(0)
  })

  test('returns false from send(), and emits ‘drain’ once the compression has caught up', async () => {
    const { client, socket } = await memoryPair(compressed)
    const messages = inbox(client)
    let drains = 0
    const drained = new Promise<void>((resolve) => {
      socket.on('drain', () => {
        drains++
        resolve()
      })
    })
    expect(socket.send(long)).toBe(false)
    expect(socket.send('short')).toBe(false)
    await settled()
    await drained
    expect(socket.bufferedAmount).toBe(0)
    await take(messages, 2)
    expect(drains).toBe(1)
  })

  test('calls each callback with an error once if the connection ends', async () => {
    const { socket } = await memoryPair(compressed)
    const group = new Hub().group('g').add(socket)
    const callbacks = Array.from({ length: 4 }, () => vi.fn())
    socket.send(long, callbacks[0])
    socket.send('short', callbacks[1])
    socket.send(new Blob(['blob']), callbacks[2])
    group.broadcast(long)
    socket.ping('1', callbacks[3])
    const closed = closeOf(socket)
    socket.terminate()
    await closed
    await until(() => callbacks.every(({ mock }) => mock.calls.length > 0))
    await settled()
    for (const { mock } of callbacks) expect(mock.calls).toEqual([[expect.any(Error)]])
    // As in WHATWG's standard, what was not sent stays in the amount.
    expect(socket.bufferedAmount).toBe(long.length + 5 + 4 + long.length)
  })
})

describe('a message that cannot be encoded', () => {
  test('fails the connection when its Blob cannot be read, and nothing after it is sent (F4)', async () => {
    const { client, socket, serverEnd } = await memoryPair()
    const received = vi.fn()
    client.on('message', received)
    const cause = new Error('unreadable')
    const unreadable = new Blob(['x'])
    vi.spyOn(unreadable, 'arrayBuffer').mockRejectedValue(cause)
    const callback = vi.fn()
    socket.send('A', { fin: false })
    await settled()
    socket.send(unreadable, { fin: false }, callback)
    socket.send('B', callback)
    expect(await closeOf(socket)).toMatchObject({ code: 1006, cause })
    await settled()
    expect(callback.mock.calls).toEqual([[cause], [cause]])
    expect(received).not.toHaveBeenCalled()
    expect(texts(serverEnd.bytes)).toEqual(['A'])
  })

  test('fails the connection when zlib fails (F4)', async () => {
    const { client, socket } = await memoryPair(compressed)
    const received = vi.fn()
    client.on('message', received)
    const cause = new Error('out of memory')
    replaceInZlib(
      'deflateRaw',
      (_bytes: Buffer, _options: unknown, callback: (error: Error, result: Buffer) => void) => {
        setImmediate(callback, cause, Buffer.alloc(0))
      },
    )
    const callback = vi.fn()
    socket.send(long, callback)
    socket.send('after', callback)
    expect(await closeOf(socket)).toMatchObject({ code: 1006, cause })
    await settled()
    expect(callback.mock.calls).toEqual([[cause], [cause]])
    expect(received).not.toHaveBeenCalled()
  })

  test('fails each member when the shared compression of a broadcast fails (F16)', async () => {
    const pairs = [await memoryPair(compressed), await memoryPair(compressed)]
    const cause = new Error('out of memory')
    replaceInZlib(
      'deflateRaw',
      (_bytes: Buffer, _options: unknown, callback: (error: Error, result: Buffer) => void) => {
        setImmediate(callback, cause, Buffer.alloc(0))
      },
    )
    const group = new Hub().group('g')
    for (const { socket } of pairs) group.add(socket)
    const closes = pairs.map(({ socket }) => closeOf(socket))
    expect(group.broadcast(long)).toEqual({ delivered: 2, skipped: 0 })
    for (const close of await Promise.all(closes)) expect(close).toMatchObject({ code: 1006, cause })
  })
})

describe('a long broadcast', () => {
  test('is compressed once in the thread pool for all members, and nothing overtakes it (F16)', async () => {
    const pairs = await Promise.all(Array.from({ length: 5 }, () => memoryPair(compressed)))
    const { deflateRaw } = await import('node:zlib')
    const jobs = vi.fn(deflateRaw as (...values: unknown[]) => unknown)
    const synchronous = vi.fn(() => Buffer.alloc(0))
    replaceInZlib('deflateRaw', jobs)
    replaceInZlib('deflateRawSync', synchronous)
    const group = new Hub().group('g')
    for (const { socket } of pairs) group.add(socket)
    const inboxes = pairs.map(({ client }) => inbox(client))
    for (const { socket } of pairs) socket.send('before')
    group.broadcast(long)
    for (const { socket } of pairs) {
      socket.send('after')
      expect(socket.bufferedAmount).toBe('before'.length + long.length + 'after'.length)
    }
    group.broadcast('last')
    for (const messages of inboxes) {
      const received = await take(messages, 4)
      expect(received.map((data) => (data === long ? 'long' : data))).toEqual([
        'before',
        'long',
        'after',
        'last',
      ])
    }
    expect(jobs).toHaveBeenCalledTimes(1)
    expect(synchronous).not.toHaveBeenCalled()
    for (const { socket } of pairs) expect(socket.bufferedAmount).toBe(0)
  })
})

test('compresses a message if its first fragment is compressed, whatever the others ask for', async () => {
  const { client, socket } = await memoryPair(compressed)
  const messages = inbox(client)
  const random = noise(3000).toString('latin1')
  for (const first of ['x'.repeat(1024), 'x'.repeat(1023), '']) {
    socket.send(first, { fin: false })
    socket.send(random, { fin: false })
    socket.send(long, { fin: false, compress: false })
    socket.send('')
    expect((await messages.next()) === `${first}${random}${long}`).toBe(true)
  }
})

test('compresses nothing for a closed socket, and passes an error to the callback', async () => {
  const { socket, serverEnd } = await memoryPair(compressed)
  const callback = vi.fn()
  serverEnd.destroy()
  socket.send(long, callback)
  // It is not queued, as it would be behind a compression in the thread pool.
  socket.send('short', callback)
  await settled()
  expect(callback.mock.calls).toEqual([[expect.any(Error)], [expect.any(Error)]])
})
