import { once } from 'node:events'
import fc from 'fast-check'
import { WebSocket } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { heldBytes } from '../support/garbage-collection.js'
import { inbox, take } from '../support/inbox.js'
import { memoryPair } from '../support/memory-pair.js'
import { openPair } from '../support/open-pair.js'
import { clientFrame, FrameReader, opcode } from '../support/raw-frame.js'
import { openAsClient } from '../support/raw-handshake.js'
import { runningServer } from '../support/running-server.js'
import { runs } from '../support/runs.js'

const MEBI = 1024 * 1024

/** A header as a client sends it, with the given bytes of the length. */
function header(first: number, length: number[]): Buffer {
  return Buffer.from([first, 0x80 | length[0]!, ...length.slice(1), 0, 0, 0, 0])
}

describe('refuses a length as soon as the header arrives (CVE-2020-27813, CVE-2026-1528, CVE-2026-54466)', () => {
  const lengths: [string, number[], number, string][] = [
    ['2^64 - 1', [127, ...Array<number>(8).fill(255)], 1002, 'WS_ERR_INVALID_PAYLOAD_LENGTH'],
    ['2^63', [127, 0x80, 0, 0, 0, 0, 0, 0, 0], 1002, 'WS_ERR_INVALID_PAYLOAD_LENGTH'],
    ['2^62', [127, 0x40, 0, 0, 0, 0, 0, 0, 0], 1009, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'],
    ['2^53', [127, 0, 0x20, 0, 0, 0, 0, 0, 0], 1009, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'],
    ['2^32', [127, 0, 0, 0, 1, 0, 0, 0, 0], 1009, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'],
    ['one more than the limit', [127, 0, 0, 0, 0, 0, 0x10, 0, 1], 1009, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'],
    ['125 in 16 bits', [126, 0, 125], 1002, 'WS_ERR_INVALID_PAYLOAD_LENGTH'],
    ['65,535 in 64 bits', [127, 0, 0, 0, 0, 0, 0, 255, 255], 1002, 'WS_ERR_INVALID_PAYLOAD_LENGTH'],
  ]
  test.each(lengths)('%s', async (_name, length, closeCode, code) => {
    const { port, next } = await runningServer()
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const closed = closeOf(socket)
    const before = process.memoryUsage().arrayBuffers
    peer.write(header(0x82, length))
    expect((await peer.next())?.payload.readUInt16BE(0)).toBe(closeCode)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MEBI)
    peer.destroy()
    const { cause } = await closed
    expect([(cause as NodeJS.ErrnoException).code === code, cause?.message]).toEqual([true, cause?.message])
  })

  test('counts the sum of the fragments', async () => {
    const { port, next } = await runningServer({ maxPayload: 100 })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const closed = closeOf(socket)
    peer.write(clientFrame({ opcode: opcode.binary, payload: Buffer.alloc(60), fin: false }))
    peer.write(clientFrame({ opcode: opcode.continuation, payload: Buffer.alloc(40), fin: false }))
    peer.write(header(0x00, [1]))
    expect((await peer.next())?.payload.readUInt16BE(0)).toBe(1009)
    peer.destroy()
    expect((await closed).cause).toMatchObject({ code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' })
  })

  test('but accepts a message of exactly the limit', async () => {
    const { client, socket } = await openPair({ server: { maxPayload: MEBI } })
    client.send(Buffer.alloc(MEBI))
    const [data] = (await once(socket, 'message')) as [Buffer]
    expect(data.length).toBe(MEBI)
  })
})

test('sends no byte of memory outside the message (CVE-2016-10518, CVE-2026-45736)', async () => {
  const poison = 0xa5
  // In `npm run full` more Pings and Pongs come than a second admits, and the Pings are answered.
  const options = { controlFrameRate: false } as const
  const { client, socket, serverEnd } = await memoryPair({ server: options, client: options })
  const forms = fc.oneof(
    fc.nat({ max: 2 ** 31 }),
    fc.string(),
    fc.uint8Array({ max: poison - 1 }).map((bytes) => {
      // A view in the middle of memory that must not be sent.
      const memory = new Uint8Array(bytes.length + 64).fill(poison)
      memory.set(bytes, 32)
      return memory.subarray(32, 32 + bytes.length)
    }),
    fc.uint16Array({ max: 0x7f7f }).map((elements) => new Uint16Array(elements)),
    fc.float64Array({ maxLength: 20 }),
    fc.uint8Array().map((bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
    fc.uint8Array().map((bytes) => new Uint8Array(bytes).buffer),
  )
  const seen = inbox(client)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ data: forms, how: fc.constantFrom('send', 'ping', 'pong') })),
      async (steps) => {
        serverEnd.batches.length = 0
        const expected: Buffer[] = []
        for (const { data, how } of steps) {
          const bytes = ArrayBuffer.isView(data)
            ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
            : Buffer.from(typeof data === 'number' ? String(data) : (data as string))
          if (how !== 'send' && bytes.length > 125) continue
          if (how === 'send') socket.send(data)
          else if (how === 'ping') socket.ping(data)
          else socket.pong(data)
          expected.push(Buffer.from(bytes))
        }
        socket.send('end')
        for (let message = await seen.next(); message !== 'end';) message = await seen.next()
        const frames = new FrameReader().push(serverEnd.bytes).slice(0, -1)
        expect(frames.map(({ payload }) => payload.toString('hex'))).toEqual(
          expected.map((bytes) => bytes.toString('hex')),
        )
      },
    ),
    { numRuns: runs(200) },
  )
})

describe('a flood of tiny fragments (CVE-2026-48779, CVE-2026-12151)', () => {
  test('holds no more memory than the payload of 131,000 fragments of 1 byte, each in its own chunk', async () => {
    const { socket, serverEnd } = await memoryPair()
    const count = 131_000
    // As from a socket, each byte arrives in a read buffer of 64 KiB.
    const chunk = (frame: Buffer): Buffer => {
      const memory = Buffer.allocUnsafeSlow(64 * 1024)
      frame.copy(memory)
      return memory.subarray(0, frame.length)
    }
    const before = await heldBytes()
    let most = 0
    const message = once(socket, 'message')
    for (let sent = 0; sent < count; sent++) {
      const frame = clientFrame({
        opcode: opcode[sent === 0 ? 'binary' : 'continuation'],
        payload: 'x',
        fin: sent === count - 1,
      })
      serverEnd.push(sent % 100 === 0 ? chunk(frame) : frame)
      if (sent % 10_000 !== 9999) continue
      most = Math.max(most, await heldBytes())
    }
    const [data] = (await message) as [Buffer]
    expect(data.length).toBe(count)
    // A tenth of the read buffers in which it arrived.
    expect(most - before).toBeLessThan(8 * MEBI)
  })

  test('is refused at maxFragments for 10^6 empty fragments', async () => {
    const { port, next } = await runningServer()
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const closed = closeOf(socket)
    peer.write(clientFrame({ opcode: opcode.text, payload: '', fin: false }))
    const empty = Buffer.concat(Array<Buffer>(1000).fill(Buffer.from([0x00, 0x80, 0, 0, 0, 0])))
    for (let sent = 0; sent < 1000 && !peer.ended; sent++) {
      peer.write(empty)
      if (sent % 20 === 0) await settled()
    }
    expect((await peer.next())?.payload.readUInt16BE(0)).toBe(1008)
    peer.destroy()
    expect((await closed).cause).toMatchObject({ code: 'WS_ERR_TOO_MANY_BUFFERED_PARTS' })
  })

  test('delivers a message of the maximum size that arrives in 1-byte chunks', async () => {
    const limit = 200_000
    const { socket, clientEnd } = await memoryPair({ server: { maxPayload: limit } })
    const payload = Buffer.from(Array.from({ length: limit }, (_, index) => index % 251))
    const message = once(socket, 'message')
    for (const byte of clientFrame({ opcode: opcode.binary, payload })) {
      clientEnd.write(Buffer.of(byte))
      if (clientEnd.writableNeedDrain) await once(clientEnd, 'drain')
    }
    const [data] = (await message) as [Buffer]
    expect(data.equals(payload)).toBe(true)
  })
})

test('closes with 1008 after one Pong for a peer that floods Pings and does not read', async () => {
  const { socket, clientEnd, serverEnd } = await memoryPair({ server: { maxBufferedAmount: 100_000 } })
  serverEnd.stall()
  // More than half of the limit, and more than the high-water mark of any version of Node.js.
  while (socket.bufferedAmount < 70_000) socket.send(Buffer.alloc(10_000))
  await settled()
  serverEnd.batches.length = 0
  const pings = vi.fn()
  socket.on('ping', pings)
  const flood = Buffer.concat(
    Array<Buffer>(200).fill(clientFrame({ opcode: opcode.ping, payload: 'x'.repeat(125) })),
  )
  for (let written = 0; written < 200 && socket.readyState === WebSocket.OPEN; written++) {
    clientEnd.write(flood)
    await settled()
  }
  expect(socket.readyState).toBe(WebSocket.CLOSING)
  // The burst, and what the rate allows meanwhile.
  expect(pings.mock.calls.length).toBeLessThan(2000)
  serverEnd.release()
  await settled()
  const control = new FrameReader().push(serverEnd.bytes).filter((frame) => frame.opcode > 2)
  expect(control.map((frame) => frame.opcode)).toEqual([opcode.pong, opcode.close])
  expect(control[1]?.payload.readUInt16BE(0)).toBe(1008)
})

test('keeps U+FEFF at the beginning of a text (undici)', async () => {
  const { client, socket } = await openPair()
  socket.on('message', (data) => socket.send(data as string))
  for (const text of ['\uFEFF', '\uFEFFtext', '\uFEFF'.repeat(100), `\uFEFF${'x'.repeat(100_000)}`]) {
    client.send(text)
    expect(await once(client, 'message')).toEqual([text, false])
    client.send('\uFEFF', { fin: false })
    client.send(text)
    expect(await once(client, 'message')).toEqual([`\uFEFF${text}`, false])
  }
})

test('checks the mask bit in both roles (uWebSockets)', async () => {
  const { port, next } = await runningServer()
  const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
  const closed = closeOf(socket)
  peer.write(Buffer.from([0x81, 1, 0x61]))
  expect((await peer.next())?.payload.readUInt16BE(0)).toBe(1002)
  peer.destroy()
  expect((await closed).cause).toMatchObject({ code: 'WS_ERR_EXPECTED_MASK' })
})

describe('declines a window that zlib does not support, without a RangeError (CVE-2026-2229)', () => {
  test.each(['0', '1', '7', '16', '99', '08', '-9', '9.0', '1e1', '""', '"9', '99999999999999999999'])(
    'server_max_window_bits=%s',
    async (bits) => {
      const { port, server } = await runningServer({ perMessageDeflate: { threshold: 0 } })
      server.on('connection', (socket) => {
        socket.on('message', (data) => socket.send(data as string))
      })
      for (const name of ['server_max_window_bits', 'client_max_window_bits']) {
        const offer = { 'Sec-WebSocket-Extensions': `permessage-deflate; ${name}=${bits}` }
        const opened = await openAsClient(port, offer).catch((error: unknown) => error as Error)
        if (opened instanceof Error) {
          expect(opened.message).toMatch(/ 400 /)
          continue
        }
        expect(opened.response.fields.has('sec-websocket-extensions')).toBe(false)
        opened.peer.write(clientFrame({ opcode: opcode.text, payload: 'x'.repeat(100) }))
        expect((await opened.peer.next())?.payload.length).toBe(100)
        opened.peer.destroy()
      }
    },
  )
})

test('compresses secrets and an attacker’s text in separate windows (BREACH)', async () => {
  const { port, next } = await runningServer({ perMessageDeflate: { threshold: 0 } })
  const [{ peer, response }, { socket }] = await Promise.all([
    openAsClient(port, { 'Sec-WebSocket-Extensions': 'permessage-deflate' }),
    next(),
  ])
  expect(response.fields.get('sec-websocket-extensions')).toContain('server_no_context_takeover')
  const secret = 'token=0123456789abcdef'
  socket.send(secret)
  socket.send(secret)
  socket.send(secret, { compress: false })
  const [first, second, third] = [await peer.next(), await peer.next(), await peer.next()]
  expect(second?.payload.length).toBe(first?.payload.length)
  expect(third).toMatchObject({ rsv: 0, payload: Buffer.from(secret) })
  peer.destroy()
})

describe('closes only the connection that sends invalid input, with the code of the RFC', () => {
  const inputs: [string, Buffer, number][] = [
    ['garbage', Buffer.alloc(10_000, 0xff), 1002],
    ['a reserved opcode', Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002],
    ['a reserved control opcode', Buffer.from([0x8b, 0x80, 0, 0, 0, 0]), 1002],
    ['RSV1 without an extension', Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002],
    ['a continuation of nothing', clientFrame({ opcode: opcode.continuation, payload: 'x' }), 1002],
    [
      'a message within a message',
      Buffer.concat([
        clientFrame({ opcode: opcode.text, payload: 'a', fin: false }),
        clientFrame({ opcode: opcode.text, payload: 'b' }),
      ]),
      1002,
    ],
    ['a fragmented control frame', clientFrame({ opcode: opcode.ping, payload: 'x', fin: false }), 1002],
    ['an oversized control frame', clientFrame({ opcode: opcode.ping, payload: Buffer.alloc(126) }), 1002],
    ['a Close of one byte', clientFrame({ opcode: opcode.close, payload: 'x' }), 1002],
    ['a Close with 1005', clientFrame({ opcode: opcode.close, payload: Buffer.of(0x03, 0xed) }), 1002],
    ['a Close with 999', clientFrame({ opcode: opcode.close, payload: Buffer.of(0x03, 0xe7) }), 1002],
    [
      'a Close whose reason is not UTF-8',
      clientFrame({ opcode: opcode.close, payload: Buffer.of(0x03, 0xe8, 0xff) }),
      1007,
    ],
    ['text that is not UTF-8', clientFrame({ opcode: opcode.text, payload: Buffer.of(0xc0, 0x80) }), 1007],
    [
      'text that ends within a character',
      clientFrame({ opcode: opcode.text, payload: Buffer.of(0xe2, 0x82) }),
      1007,
    ],
  ]
  test.each(inputs)('%s', async (_name, bytes, code) => {
    const { running, client, socket } = await openPair()
    const [{ peer }, { socket: bad }] = await Promise.all([openAsClient(running.port), running.next()])
    const closed = closeOf(bad)
    const messages = vi.fn()
    bad.on('message', messages)
    peer.write(bytes)
    const frame = await peer.next()
    expect(frame?.opcode).toBe(opcode.close)
    expect(frame?.payload.readUInt16BE(0)).toBe(code)
    expect(frame?.payload.length).toBeGreaterThan(10)
    expect(await peer.next()).toBeUndefined()
    peer.destroy()
    expect(await closed).toMatchObject({
      code: 1006,
      wasClean: false,
      initiator: 'local',
      cause: { closeCode: code },
    })
    expect(messages).not.toHaveBeenCalled()
    client.send('goes on')
    expect(await once(socket, 'message')).toEqual(['goes on', false])
  })

  test('refuses text at its first invalid byte, within an unfinished frame', async () => {
    const { port } = await runningServer()
    const { peer } = await openAsClient(port)
    const frame = clientFrame({
      opcode: opcode.text,
      payload: Buffer.concat([Buffer.from('good '), Buffer.of(0xff), Buffer.alloc(100, 'x')]),
    })
    peer.write(frame.subarray(0, 12))
    expect((await peer.next())?.payload.readUInt16BE(0)).toBe(1007)
    peer.destroy()
  })

  test('after any bytes', async () => {
    const { running, client, socket } = await openPair()
    const bytes = fc.uint8Array({ maxLength: 300, size: 'max' })
    await fc.assert(
      fc.asyncProperty(bytes, async (input) => {
        const [{ peer }, { socket: bad }] = await Promise.all([openAsClient(running.port), running.next()])
        const closed = closeOf(bad)
        peer.write(Buffer.from(input))
        peer.end()
        const close = await closed
        expect(close.cause === undefined || 'closeCode' in close.cause).toBe(true)
        peer.destroy()
      }),
      { numRuns: runs(100) },
    )
    client.send('goes on')
    expect(await once(socket, 'message')).toEqual(['goes on', false])
  })
})

test('serves a slow client that sends one byte at a time', async () => {
  const { port, server } = await runningServer()
  server.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(data as string))
  })
  const { peer } = await openAsClient(port)
  await peer.writeInPieces(
    Buffer.concat([
      clientFrame({ opcode: opcode.text, payload: 'slowly' }),
      clientFrame({ opcode: opcode.text, payload: 'but surely' }),
    ]),
    1,
  )
  expect((await peer.next())?.payload.toString()).toBe('slowly')
  expect((await peer.next())?.payload.toString()).toBe('but surely')
  peer.destroy()
})

test('delivers any number of pipelined messages whole', async () => {
  const { client, socket } = await openPair()
  const messages = inbox(socket)
  const count = 20_000
  for (let sent = 0; sent < count; sent++) client.send(`${sent}`)
  const received = await take(messages, count)
  expect(received.every((data, index) => data === String(index))).toBe(true)
})
