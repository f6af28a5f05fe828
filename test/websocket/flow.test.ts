import { once } from 'node:events'
import { connect, WebSocket } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { inbox, take } from '../support/inbox.js'
import { memoryPair } from '../support/memory-pair.js'
import { openPair } from '../support/open-pair.js'
import { runningServer } from '../support/running-server.js'

describe('pause() and resume()', () => {
  /** A socket that pauses at `a`, holds `b`, and has lost its connection, with its events so far. */
  async function lostWhilePaused(): Promise<{ socket: WebSocket<undefined>; events: unknown[] }> {
    const { client, socket, request } = await openPair()
    const events: unknown[] = []
    socket.on('close', (code) => events.push(code))
    socket.on('message', (data) => {
      events.push(data)
      socket.pause()
    })
    client.send('a')
    client.send('b')
    await once(socket, 'message')
    request.socket.destroy()
    await settled()
    return { socket, events }
  }

  test('hold all messages in between, and lose none', async () => {
    const { client, socket } = await openPair()
    const messages: unknown[] = []
    socket.on('message', (data) => messages.push(data))
    socket.pause()
    expect(socket.isPaused).toBe(true)
    for (let sent = 0; sent < 100; sent++) client.send(`message ${sent}`)
    await settled()
    expect(messages).toEqual([])
    socket.resume()
    expect(socket.isPaused).toBe(false)
    // Held messages are delivered asynchronously, like new input, not from within resume().
    expect(messages).toEqual([])
    while (messages.length < 100) await once(socket, 'message')
    expect(messages).toEqual(Array.from({ length: 100 }, (_, index) => `message ${index}`))
  })

  test("hold the rest of the same chunk if called within 'message'", async () => {
    const { client, socket } = await openPair()
    const messages: unknown[] = []
    socket.on('message', (data) => {
      messages.push(data)
      socket.pause()
    })
    for (const name of ['a', 'b', 'c']) client.send(name)
    client.ping('d')
    await once(socket, 'message')
    await settled()
    expect(messages).toEqual(['a'])
    socket.resume()
    await once(socket, 'message')
    socket.resume()
    socket.pause()
    await settled()
    expect(messages).toEqual(['a', 'b'])
    const pinged = once(socket, 'ping')
    socket.resume()
    await once(socket, 'message')
    socket.resume()
    await pinged
    expect(messages).toEqual(['a', 'b', 'c'])
  })

  test('apply backpressure to a peer that keeps sending', async () => {
    const { socket, clientEnd } = await memoryPair()
    socket.pause()
    const frame = Buffer.concat([Buffer.from([0x82, 0xfe, 0x10, 0, 0, 0, 0, 0]), Buffer.alloc(4096)])
    let written = 0
    while (written < 1000 && clientEnd.write(frame)) written++
    const messages = vi.fn()
    socket.on('message', messages)
    await settled()
    expect(messages).not.toHaveBeenCalled()
    socket.resume()
    await settled()
    expect(messages.mock.calls.length).toBeGreaterThanOrEqual(written)
  })

  test("delay 'close' until the held messages are delivered", async () => {
    const { client, socket } = await openPair()
    const events: unknown[] = []
    socket.on('close', () => events.push('close'))
    socket.on('message', (data) => {
      events.push(data)
      socket.pause()
    })
    client.send('a')
    client.send('b')
    client.close()
    await once(socket, 'message')
    await settled()
    expect(events).toEqual(['a'])
    expect(socket.readyState).toBe(WebSocket.OPEN)
    const closed = closeOf(socket)
    socket.resume()
    // The listener pauses again, but only a control frame follows the message.
    expect(await closed).toMatchObject({ code: 1005, wasClean: true, dropped: 0 })
    expect(events).toEqual(['a', 'b', 'close'])
  })

  test("delay 'close' in the same way if the connection is lost meanwhile", async () => {
    const { socket, events } = await lostWhilePaused()
    expect(events).toEqual(['a'])
    expect(socket.readyState).toBe(WebSocket.CLOSING)
    const closed = closeOf(socket)
    socket.resume()
    expect(await closed).toMatchObject({ code: 1006, dropped: 0 })
    expect(events).toEqual(['a', 'b', 1006])
  })

  test('drop the held messages on terminate()', async () => {
    const { socket, events } = await lostWhilePaused()
    const closed = closeOf(socket)
    socket.terminate()
    expect(socket.readyState).toBe(WebSocket.CLOSING)
    expect(await closed).toMatchObject({ code: 1006, dropped: 1 })
    expect(events).toEqual(['a', 1006])
    socket.resume()
    await settled()
  })

  test('do nothing on a socket that is not paused or has closed', async () => {
    const { client, socket } = await openPair()
    socket.resume()
    client.send('x')
    expect(await once(socket, 'message')).toEqual(['x', false])
    client.close()
    await closeOf(socket)
    socket.pause()
    socket.resume()
    await settled()
  })

  test('do not stop a paused client from writing', async () => {
    const { client, socket } = await openPair()
    client.pause()
    client.send('x')
    expect(await once(socket, 'message')).toEqual(['x', false])
  })
})

describe('a for await loop', () => {
  test('yields the messages in order, and ends when the connection closes', async () => {
    const { client, socket } = await openPair()
    for (let sent = 0; sent < 50; sent++) client.send(sent % 2 === 0 ? `text ${sent}` : Buffer.of(sent))
    client.close()
    const messages: unknown[] = []
    for await (const message of socket) {
      messages.push(message)
      if (messages.length % 10 === 0) await settled()
    }
    expect(messages).toEqual(
      Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? `text ${index}` : Buffer.of(index))),
    )
  })

  test('applies backpressure to the peer', async () => {
    const { client, socket } = await openPair()
    const count = 200
    let sent = 0
    const sending = (async () => {
      for (; sent < count; sent++) if (!client.send(Buffer.alloc(100_000))) await once(client, 'drain')
      client.close()
    })()
    let received = 0
    for await (const message of socket) {
      expect((message as Buffer).length).toBe(100_000)
      if (received++ > 0) continue
      let before = -1
      while (sent !== before) {
        before = sent
        await settled()
      }
      expect(sent).toBeLessThan(count)
    }
    await sending
    expect(received).toBe(count)
  })

  test('leaves no listener and no pause behind after a break', async () => {
    const { client, socket } = await openPair()
    for (let sent = 0; sent < 10; sent++) client.send(String(sent))
    for await (const message of socket) {
      expect(message).toBe('0')
      await settled()
      break
    }
    expect(socket.isPaused).toBe(false)
    expect(socket.listenerCount('message')).toBe(0)
    expect(socket.listenerCount('error')).toBe(0)
    const messages = inbox(socket)
    await settled()
    client.send('after')
    const next = await messages.next()
    // Some of the messages after the break may have been delivered already.
    expect(next === 'after' || Number(next) > 0).toBe(true)
    client.close()
    await closeOf(socket)
  })

  test('does not end the connection if its body throws', async () => {
    const { client, socket } = await openPair()
    client.send('a')
    await expect(
      (async () => {
        for await (const message of socket) throw new Error(`body of ${message as string}`)
      })(),
    ).rejects.toThrow('body of a')
    client.send('b')
    expect(await once(socket, 'message')).toEqual(['b', false])
  })

  test('throws the cause when the connection breaks, after the messages before it', async () => {
    const { client, socket } = await openPair({ server: { maxPayload: 10 } })
    const messages: unknown[] = []
    client.send('a')
    client.send('longer than ten bytes')
    await expect(
      (async () => {
        for await (const message of socket) messages.push(message)
      })(),
    ).rejects.toMatchObject({ code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' })
    expect(messages).toEqual(['a'])
  })

  test('yields nothing from a closed socket', async () => {
    const { client, socket } = await openPair()
    client.close()
    await closeOf(socket)
    for await (const message of socket) expect.unreachable(`has ${message as string}`)
    for await (const message of client) expect.unreachable(`has ${message as string}`)
  })

  test('yields messages from a socket that was still connecting', async () => {
    const { url, server } = await runningServer()
    server.on('connection', (socket) => {
      socket.send('first')
      socket.close()
    })
    const messages: unknown[] = []
    for await (const message of new WebSocket(url)) messages.push(message)
    expect(messages).toEqual(['first'])
  })
})

describe('Symbol.asyncDispose', () => {
  test('closes the connection and waits for the close', async () => {
    const { url, next } = await runningServer()
    const [client, { socket }] = await Promise.all([connect(url), next()])
    const closed = closeOf(socket)
    await client[Symbol.asyncDispose]()
    expect(client.readyState).toBe(WebSocket.CLOSED)
    expect(await closed).toMatchObject({ code: 1005, wasClean: true })
    await client[Symbol.asyncDispose]()
  })

  test('does not reject if the connection breaks meanwhile or was never open', async () => {
    const { client, request } = await openPair()
    const disposed = client[Symbol.asyncDispose]()
    request.socket.resetAndDestroy()
    await disposed
    const { url } = await runningServer()
    const connecting = new WebSocket(url)
    await connecting[Symbol.asyncDispose]()
    expect(connecting.readyState).toBe(WebSocket.CLOSED)
  })
})

test('delivers messages while other sockets of the same server are paused', async () => {
  const { running, client, socket } = await openPair()
  const [other, { socket: otherSocket }] = await Promise.all([connect(running.url), running.next()])
  socket.pause()
  const messages = inbox(otherSocket)
  client.send('waits')
  other.send('one')
  other.send('two')
  expect(await take(messages, 2)).toEqual(['one', 'two'])
})
