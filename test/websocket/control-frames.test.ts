import { once } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { settled } from '../support/event-loop.js'
import { memoryPair } from '../support/memory-pair.js'
import { openPair } from '../support/open-pair.js'
import { clientFrame, FrameReader, opcode } from '../support/raw-frame.js'

test.each([
  ['nothing', undefined, Buffer.alloc(0)],
  ['text', 'grüße', Buffer.from('grüße')],
  ['bytes', Buffer.of(0, 255), Buffer.of(0, 255)],
  ['a view', new Uint8Array([9, 1, 2, 9]).subarray(1, 3), Buffer.of(1, 2)],
  ['a number, as text', 10, Buffer.from('10')],
  ['125 bytes', 'x'.repeat(125), Buffer.alloc(125, 'x')],
])('sends Ping and Pong with %s, both ways', async (_name, data, expected) => {
  const { client, socket } = await openPair()
  for (const [from, to] of [
    [client, socket],
    [socket, client],
  ] as const) {
    const ping = once(to, 'ping')
    const pong = once(from, 'pong')
    from.ping(data)
    expect(await ping).toEqual([expected])
    expect(await pong).toEqual([expected])
    const unsolicited = once(to, 'pong')
    from.pong(data)
    expect(await unsolicited).toEqual([expected])
  }
})

test('throws a RangeError for a payload of 126 bytes', async () => {
  const { client } = await openPair()
  expect(() => {
    client.ping('ü'.repeat(63))
  }).toThrow(new RangeError('A Ping or Pong holds at most 125 bytes; this one has 126'))
  expect(() => {
    client.pong(Buffer.alloc(126))
  }).toThrow(RangeError)
})

test('does not keep the read buffer alive through the payload of a Ping', async () => {
  const { client, socket } = await openPair()
  socket.ping('mine')
  const [payload] = (await once(client, 'ping')) as [Buffer]
  client.send('something else')
  await once(socket, 'message')
  expect(payload.toString()).toBe('mine')
  // Node's pool is what short Buffers share anyway.
  expect([payload.length, Buffer.from('pooled').buffer.byteLength]).toContain(payload.buffer.byteLength)
})

describe('autoPong', () => {
  test('sends no Pong if it is false', async () => {
    const { client, socket } = await openPair({ server: { autoPong: false } })
    const pongs = vi.fn()
    client.on('pong', pongs)
    socket.on('ping', (payload) => {
      socket.send(`saw ${payload.toString()}`)
    })
    client.ping('one')
    expect(await once(client, 'message')).toEqual(['saw one', false])
    expect(pongs).not.toHaveBeenCalled()
  })

  test('answers each Ping before what its listener sends', async () => {
    const { client, socket } = await openPair()
    const seen: string[] = []
    socket.on('ping', (payload) => {
      socket.send(`heard ${payload.toString()}`)
    })
    client.on('pong', (payload) => seen.push(`pong ${payload.toString()}`))
    client.on('message', (data) => seen.push(data as string))
    for (const name of ['a', 'b', 'c']) client.ping(name)
    while (seen.length < 6) await once(client, 'message')
    expect(seen).toEqual(['pong a', 'heard a', 'pong b', 'heard b', 'pong c', 'heard c'])
  })

  test('keeps only the latest Pong for a peer that does not read (RFC 6455 section 5.5.3)', async () => {
    const { socket, clientEnd, serverEnd } = await memoryPair({ server: { controlFrameRate: false } })
    serverEnd.stall()
    while (socket.send(Buffer.alloc(4000)));
    await settled()
    const waiting = socket.bufferedAmount
    for (let count = 0; count < 20_000; count++) {
      clientEnd.write(clientFrame({ opcode: opcode.ping, payload: String(count) }))
      if (count % 1000 === 0) await settled()
    }
    await settled()
    expect(socket.bufferedAmount).toBe(waiting)
    serverEnd.release()
    await settled()
    const pongs = new FrameReader().push(serverEnd.bytes).filter((frame) => frame.opcode === opcode.pong)
    expect(pongs.map((frame) => frame.payload.toString())).toEqual(['19999'])
  })

  test.each([
    ['compression', (): string => 'abc'.repeat(100_000)],
    ['Blob', (): Blob => new Blob(['read on another thread'])],
  ])('sends a Pong that waited for a %s when that is done', async (_name, make) => {
    const { client, socket } = await openPair({
      server: { perMessageDeflate: true },
      client: { perMessageDeflate: true },
    })
    const pongs: string[] = []
    client.on('pong', (payload) => pongs.push(payload.toString()))
    socket.on('message', () => socket.send(make()))
    // In one chunk, so that the second Ping is read while the answer to the message is being made.
    client.send('go')
    client.ping('first')
    client.ping('latest')
    await once(client, 'message')
    await settled()
    expect(pongs).toEqual(['latest'])
  })

  test('does not answer after our Close frame', async () => {
    const { socket, clientEnd, serverEnd } = await memoryPair()
    clientEnd.stall()
    socket.close(1000)
    await settled()
    clientEnd.release()
    clientEnd.write(clientFrame({ opcode: opcode.ping, payload: 'late' }))
    await once(socket, 'close')
    const frames = new FrameReader().push(serverEnd.bytes)
    expect(frames.map((frame) => frame.opcode)).toEqual([opcode.close])
  })

  test('sends a waiting Pong before our Close frame', async () => {
    const { socket, clientEnd, serverEnd } = await memoryPair({ server: { controlFrameRate: false } })
    serverEnd.stall()
    while (socket.send(Buffer.alloc(4000)));
    await settled()
    clientEnd.write(clientFrame({ opcode: opcode.ping, payload: 'waiting' }))
    await settled()
    socket.close(1000)
    serverEnd.release()
    await settled()
    const frames = new FrameReader().push(serverEnd.bytes).filter((frame) => frame.opcode > 2)
    expect(frames.map((frame) => frame.opcode)).toEqual([opcode.pong, opcode.close])
    expect(frames[0]?.payload.toString()).toBe('waiting')
  })
})
