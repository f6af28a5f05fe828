import { Hub } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled, turn, until } from '../support/event-loop.js'
import { inbox, take } from '../support/inbox.js'
import { memoryPair } from '../support/memory-pair.js'
import { FrameReader, type ReceivedFrame } from '../support/raw-frame.js'
import { openAsClient } from '../support/raw-handshake.js'
import { runningServer } from '../support/running-server.js'

function read(bytes: Buffer): ReceivedFrame[] {
  return new FrameReader().push(bytes)
}

function texts(bytes: Buffer): string[] {
  return read(bytes).map(({ payload }) => payload.toString())
}

describe('what is sent in one turn', () => {
  test('is written in order, with one write for each slice, for all kinds and lengths', async () => {
    const { client, socket, clientEnd, serverEnd } = await memoryPair()
    const sent = [0, 1, 125, 126, 2048, 2049, 5000, 16_384, 16_385, 30_000, 65_536, 10]
    for (const end of [client, socket]) {
      for (const length of sent) {
        end.send('x'.repeat(length))
        end.send(Buffer.alloc(length, 'y'))
        end.ping('p')
      }
    }
    await settled()
    for (const end of [clientEnd, serverEnd]) {
      expect(end.batches[0]!.length).toBeGreaterThan(sent.length)
      // The Pongs for the peer's Pings follow it.
      const frames = read(end.bytes).slice(0, sent.length * 3)
      expect(frames.map(({ opcode, payload }) => [opcode, payload.length])).toEqual(
        sent.flatMap((length) => [
          [1, length],
          [2, length],
          [9, 1],
        ]),
      )
      expect(
        frames.every(({ minimalLength, masked }) => minimalLength && masked === (end === clientEnd)),
      ).toBe(true)
    }
  })

  test('is one write even if it exceeds a slab', async () => {
    const { socket, serverEnd } = await memoryPair()
    for (let sent = 0; sent < 50; sent++) socket.send(Buffer.alloc(10_000, sent))
    await settled()
    expect(serverEnd.batches.length).toBe(1)
    const frames = read(serverEnd.bytes)
    expect(frames.length).toBe(50)
    expect(frames.every(({ payload }, index) => payload.equals(Buffer.alloc(10_000, index)))).toBe(true)
  })

  test('is one write for each of many connections that send alternately', async () => {
    const pairs = await Promise.all(Array.from({ length: 5 }, () => memoryPair()))
    for (let sent = 0; sent < 20; sent++) {
      for (const [index, { socket }] of pairs.entries()) socket.send(`${index} ${sent}`)
    }
    await settled()
    for (const [index, { serverEnd }] of pairs.entries()) {
      expect(serverEnd.batches.length).toBe(1)
      expect(texts(serverEnd.bytes)).toEqual(Array.from({ length: 20 }, (_, sent) => `${index} ${sent}`))
    }
  })

  test('is written at the end of the chunk that is handled, also on other connections', async () => {
    const [one, other] = [await memoryPair(), await memoryPair()]
    one.socket.on('message', (data) => {
      one.socket.send(`to you ${data as string}`)
      other.socket.send(`to another ${data as string}`)
    })
    for (let sent = 0; sent < 10; sent++) one.client.send(String(sent))
    await settled()
    expect(one.serverEnd.batches.length).toBe(1)
    expect(other.serverEnd.batches.length).toBe(1)
    expect(texts(other.serverEnd.bytes)).toEqual(
      Array.from({ length: 10 }, (_, sent) => `to another ${sent}`),
    )
  })

  test('is one write for each member if several members broadcast at the same time', async () => {
    const group = new Hub().group('all')
    const pairs = await Promise.all(Array.from({ length: 5 }, () => memoryPair()))
    for (const { socket } of pairs) {
      group.add(socket)
      socket.on('message', (data) => group.broadcast(data as string))
    }
    for (const [index, { client }] of pairs.entries()) client.send(String(index))
    await settled()
    for (const { serverEnd } of pairs) {
      expect(serverEnd.batches.length).toBe(1)
      expect(texts(serverEnd.bytes)).toEqual(['0', '1', '2', '3', '4'])
    }
  })

  test('ends with the chunk if a message of its own follows a broadcast', async () => {
    const [one, other] = [await memoryPair(), await memoryPair()]
    const group = new Hub().group('all').add(one.socket).add(other.socket)
    const written = (): string[][] => [one, other].map(({ serverEnd }) => texts(serverEnd.bytes))
    const afterChunk = new Promise((resolve) => {
      one.socket.on('message', () => {
        group.broadcast('to all')
        one.socket.send('to one')
        process.nextTick(() => {
          resolve(written())
        })
      })
    })
    one.client.send('begin')
    expect(await afterChunk).toEqual([['to all', 'to one'], []])
    await settled()
    expect(written()).toEqual([['to all', 'to one'], ['to all']])
    expect([one.serverEnd.batches.length, other.serverEnd.batches.length]).toEqual([1, 1])
  })

  test('is written before what is sent from within the write', async () => {
    const { socket, client, serverEnd } = await memoryPair()
    const messages = inbox(client)
    // A stream within the process can deliver synchronously, and receive an answer at once.
    const write = serverEnd.write.bind(serverEnd)
    const within = vi.spyOn(serverEnd, 'write').mockImplementationOnce((chunk: Buffer, ...rest: []) => {
      const isBelow = write(chunk, ...rest)
      socket.send('within')
      return isBelow
    })
    socket.send('first')
    socket.send('last')
    expect(await take(messages, 3)).toEqual(['first', 'last', 'within'])
    expect(within).toHaveBeenCalledTimes(2)
    expect(socket.bufferedAmount).toBe(0)
  })
})

describe('what waits behind a peer that does not read', () => {
  test('is joined in few pieces if it is short, in order, with a callback for each', async () => {
    const { socket, serverEnd } = await memoryPair({ server: { perMessageDeflate: false } })
    serverEnd.stall()
    while (socket.send(Buffer.alloc(4000)));
    await settled()
    const waiting = read(serverEnd.bytes).length
    const expected: number[] = []
    const called: number[] = []
    for (let index = 0; index < 2000; index++) {
      const length = index % 500 === 499 ? 20_000 : index % 7
      expected.push(length)
      socket.send(Buffer.alloc(length, index), (error) => called.push(error ? -1 : index))
      // In a turn of its own, so that it cannot leave in one write with the one before.
      await turn()
    }
    expect(called).toEqual([])
    serverEnd.release()
    await until(() => called.length === expected.length)
    expect(called).toEqual(expected.map((_length, index) => index))
    const frames = read(serverEnd.bytes).slice(waiting)
    const own = frames.slice(-expected.length)
    expect(own.map(({ payload }) => payload.length)).toEqual(expected)
    expect(own.every(({ payload }, index) => payload.equals(Buffer.alloc(payload.length, index)))).toBe(true)
    expect(serverEnd.batches.flat().length).toBeLessThan(100)
    expect(socket.bufferedAmount).toBe(0)
  })

  test('gives each callback the cause when the connection ends, joined or not', async () => {
    const { socket, serverEnd } = await memoryPair()
    serverEnd.stall()
    while (socket.send(Buffer.alloc(4000)));
    await settled()
    const called: [number, string | undefined][] = []
    for (let index = 0; index < 100; index++) {
      socket.send('short', (error) => called.push([index, (error as { code?: string } | null)?.code]))
      await turn()
    }
    socket.terminate()
    await closeOf(socket)
    expect(called).toEqual(Array.from({ length: 100 }, (_, index) => [index, 'WS_ERR_CLOSED']))
  })
})

describe('text', () => {
  // The header length is estimated from the UTF-16 units. The payload is moved if it has more bytes.
  test.each([
    ['ASCII', 'a', 1],
    ['two bytes', 'ü', 2],
    ['three bytes', '€', 3],
    ['surrogate pairs', '🙂', 4],
    ['mixed', 'aü€🙂', 10],
  ])('of %s is sent at every length around a change of the header form', async (_name, character, bytes) => {
    const { client, socket, clientEnd, serverEnd } = await memoryPair()
    const counts = [
      1, 2, 12, 13, 31, 32, 41, 42, 43, 62, 63, 64, 125, 126, 127, 681, 683, 1024, 2047, 2048, 2049,
    ]
    const long = [5461, 5462, 8192, 16_384, 16_385, 21_845, 21_846, 65_535, 65_536]
    const sent = [...counts, ...long].map((count) => character.repeat(count))
    for (const text of sent) {
      socket.send(text)
      client.send(text)
    }
    await settled()
    for (const end of [serverEnd, clientEnd]) {
      const frames = read(end.bytes)
      expect(frames.map(({ payload }) => payload.length)).toEqual(
        [...counts, ...long].map((count) => count * bytes),
      )
      expect(frames.every(({ minimalLength }) => minimalLength)).toBe(true)
      expect(frames.every(({ payload }, index) => payload.toString() === sent[index])).toBe(true)
    }
  })

  test('with a lone surrogate is sent as U+FFFD with the right length', async () => {
    const { socket, serverEnd } = await memoryPair()
    const sent = ['\ud800', 'a\udc00b', '\ud800'.repeat(100), '\udfff'.repeat(3000), '\ud83d'.repeat(10_000)]
    for (const text of sent) socket.send(text)
    await settled()
    expect(texts(serverEnd.bytes)).toEqual(sent.map((text) => text.replace(/[\ud800-\udfff]/g, '\ufffd')))
  })
})

describe('long payloads', () => {
  test('of a server are written without a copy, after their header', async () => {
    const { socket, serverEnd } = await memoryPair()
    const data = Buffer.alloc(40_000, 'long')
    const view = new Uint8Array(data.buffer, data.byteOffset + 4, 30_000)
    socket.send(data)
    socket.send(view)
    await settled()
    const chunks = serverEnd.batches.flat().filter(({ length }) => length > 20_000)
    expect(
      chunks.map(({ buffer, byteOffset, length }) => [buffer === data.buffer, byteOffset, length]),
    ).toEqual([
      [true, data.byteOffset, 40_000],
      [true, data.byteOffset + 4, 30_000],
    ])
  })

  test('of a client are masked in a copy', async () => {
    const { client, clientEnd } = await memoryPair()
    const data = Buffer.alloc(40_000, 'long')
    client.send(data)
    await settled()
    expect(data.equals(Buffer.alloc(40_000, 'long'))).toBe(true)
    expect(clientEnd.batches.flat().some(({ buffer }) => buffer === data.buffer)).toBe(false)
    expect(read(clientEnd.bytes)).toMatchObject([{ masked: true, payload: data }])
  })
})

describe('callbacks', () => {
  test('are called once each and in order, whatever is sent between them', async () => {
    const { client, serverEnd, socket } = await memoryPair()
    const order: number[] = []
    const lengths = [10, 20_000, 0, 3000, 70_000, 5]
    serverEnd.stall()
    for (const [index, length] of lengths.entries()) {
      socket.send('x'.repeat(length), (error) => order.push(error ? -1 : 2 * index))
      socket.send(Buffer.alloc(length), (error) => order.push(error ? -1 : 2 * index + 1))
    }
    await settled()
    expect(order).toEqual([])
    expect(client.bufferedAmount).toBe(0)
    serverEnd.release()
    await settled()
    expect(order).toEqual(Array.from({ length: 12 }, (_, index) => index))
  })

  test('get the error once each when the socket is destroyed, buffered in the socket or waiting for the turn', async () => {
    const { socket, serverEnd } = await memoryPair()
    const callback = vi.fn()
    serverEnd.stall()
    socket.send('waits at the socket', callback)
    socket.send(Buffer.alloc(50_000), callback)
    await settled()
    socket.send('waits behind it', callback)
    await settled()
    socket.send('waits for the turn', callback)
    socket.ping(callback)
    expect(callback).not.toHaveBeenCalled()
    const closed = closeOf(socket)
    serverEnd.destroy(new Error('the cable is cut'))
    expect((await closed).cause).toEqual(new Error('the cable is cut'))
    await settled()
    expect(callback.mock.calls).toEqual(Array(5).fill([expect.any(Error)]))
    socket.send('after', callback)
    await settled()
    expect(callback).toHaveBeenCalledTimes(6)
  })
})

test('sends an invalid text as what it was decoded to', async () => {
  const { port, next } = await runningServer({ skipUTF8Validation: true })
  const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
  socket.on('message', (data) => socket.send(data))
  peer.write(peer.encode({ opcode: 1, payload: Buffer.alloc(9000, 0xff), fin: true, rsv: 0 }))
  expect((await peer.next())?.payload.toString()).toBe('\ufffd'.repeat(9000))
})
