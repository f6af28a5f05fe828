import { Hub } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { inbox, take } from '../support/inbox.js'
import { memoryPair } from '../support/memory-pair.js'
import { replaceInZlib } from '../support/replace-in-zlib.js'
import { noise } from '../support/sample-messages.js'
import { uncaught } from '../support/uncaught.js'

const compressed = { server: { perMessageDeflate: true }, client: { perMessageDeflate: true } }

/** Long enough for the thread pool. */
const long = 'abcdefgh'.repeat(20_000)

describe('behind a message that is compressed on the thread pool', () => {
  test('everything waits its turn: messages, Blobs, fragments, control frames, broadcasts, and Close', async () => {
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

  test('broadcasts between fragments are kept when the last fragment goes to the thread pool as well', async () => {
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

  test('what waits counts as buffered, and nothing does in the end', async () => {
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
    waits(3)
    group.broadcast('broadcast')
    waits(9)
    await take(messages, 4)
    await settled()
    expect(socket.bufferedAmount).toBe(0)
  })

  test('send() asks to wait, and ‘drain’ comes when the compression has caught up', async () => {
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

  test('nothing is left when the connection ends meanwhile: each callback has its error, once', async () => {
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
    await vi.waitFor(() => {
      expect(callbacks.every(({ mock }) => mock.calls.length > 0)).toBe(true)
    })
    await settled()
    for (const { mock } of callbacks) expect(mock.calls).toEqual([[expect.any(Error)]])
    expect(socket.bufferedAmount).toBe(0)
  })
})

describe('a message that fails before it is sent', () => {
  test('what its callback sends goes behind what was sent before', async () => {
    const { client, socket } = await memoryPair()
    const messages = inbox(client)
    const unreadable = new Blob(['x'])
    vi.spyOn(unreadable, 'arrayBuffer').mockRejectedValue(new Error('unreadable'))
    socket.send(unreadable, () => {
      socket.send('from the callback')
    })
    socket.send('before')
    expect(await take(messages, 2)).toEqual(['before', 'from the callback'])
  })

  test('a callback that throws keeps nothing back', async () => {
    const errors = uncaught()
    const { client, socket } = await memoryPair()
    const messages = inbox(client)
    const unreadable = new Blob(['x'])
    vi.spyOn(unreadable, 'arrayBuffer').mockRejectedValue(new Error('unreadable'))
    socket.send(unreadable, () => {
      throw new Error('from the callback')
    })
    socket.send('after')
    expect(await messages.next()).toBe('after')
    await settled()
    expect(socket.bufferedAmount).toBe(0)
    expect(errors).toEqual([new Error('from the callback')])
  })

  test('a failure of zlib is told to its callback alone', async () => {
    const { client, socket } = await memoryPair(compressed)
    const messages = inbox(client)
    replaceInZlib(
      'deflateRaw',
      (_octets: Buffer, _options: unknown, callback: (error: Error, result: Buffer) => void) => {
        setImmediate(callback, new Error('out of memory'), Buffer.alloc(0))
      },
    )
    const failure = new Promise((resolve) => socket.send(long, resolve))
    socket.send(long)
    socket.send('after')
    expect(await failure).toEqual(new Error('out of memory'))
    expect(await messages.next()).toBe('after')
    expect(socket.bufferedAmount).toBe(0)
  })
})

test('a message is compressed or not by its first fragment, whatever the others are', async () => {
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

test('for a socket that is gone nothing is compressed any more: the callback has its error', async () => {
  const { socket, serverEnd } = await memoryPair(compressed)
  const callback = vi.fn()
  serverEnd.destroy()
  socket.send(long, callback)
  // Not waited for, as a compression in the background would be.
  socket.send('short', callback)
  await settled()
  expect(callback.mock.calls).toEqual([[expect.any(Error)], [expect.any(Error)]])
})
