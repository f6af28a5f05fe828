import { once } from 'node:events'
import { createServer } from 'node:net'
import { refuse, type WebSocketServer } from 'hubwire'
import type { Attempt } from 'hubwire/browser'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { inbox } from '../support/inbox.js'
import { QUICK, reconnecting, stateOf, statesUntil } from '../support/reconnecting.js'
import { runningServer } from '../support/running-server.js'

/** A port of the loopback that nobody listens to while the test runs. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Stops a server as a deploy does, and lets another take its port. */
async function restart(server: WebSocketServer, port: number): ReturnType<typeof runningServer> {
  await server.shutdown({ code: 1012, reason: 'restart' })
  return await runningServer({ port })
}

describe('a connection', () => {
  test('opens and carries messages in both directions', async () => {
    const { url, next } = await runningServer()
    const { socket, states, messages } = reconnecting(url)
    expect(socket.status).toEqual({ state: 'connecting', attempt: 1 })
    const accepted = await next()
    expect(await statesUntil(states, 'open')).toEqual(['open'])
    const received = inbox(accepted.socket)
    expect(socket.send('from the page')).toBe('sent')
    accepted.socket.send('from the server')
    expect(await received.next()).toBe('from the page')
    expect(await messages.next()).toBe('from the server')
  })

  test('offers its subprotocols and exposes the one that was chosen', async () => {
    const { url, next } = await runningServer({ handleProtocols: () => 'v1' })
    const { socket, states } = reconnecting(url, { protocols: ['v2', 'v1'] })
    expect(socket.protocol).toBe('')
    const { request } = await next()
    expect(request.headers['sec-websocket-protocol']).toBe('v2, v1')
    await stateOf(states, 'open')
    expect(socket.protocol).toBe('v1')
  })

  test('offers a single subprotocol', async () => {
    const { url, next } = await runningServer({ handleProtocols: () => 'v1' })
    reconnecting(url, { protocols: 'v1' })
    expect((await next()).request.headers['sec-websocket-protocol']).toBe('v1')
  })

  test.each(['blob', 'arraybuffer'] as const)('delivers binary messages as %s', async (binaryType) => {
    const { url, next } = await runningServer()
    const { messages } = reconnecting(url, { binaryType })
    const { socket } = await next()
    socket.send(new Uint8Array([1, 2, 3]))
    const data = await messages.next()
    const bytes = data instanceof Blob ? await data.arrayBuffer() : (data as ArrayBuffer)
    expect(data).toBeInstanceOf(binaryType === 'blob' ? Blob : ArrayBuffer)
    expect(new Uint8Array(bytes)).toEqual(new Uint8Array([1, 2, 3]))
  })

  test('reconnects once after a restart of its server', async () => {
    const { server, port, url, next } = await runningServer()
    const { states } = reconnecting(url)
    await next()
    const another = await restart(server, port)
    await another.next()
    expect(await statesUntil(states, 'waiting')).toEqual(['open', 'waiting'])
    expect((await statesUntil(states, 'open')).slice(-2)).toEqual(['connecting', 'open'])
    expect(another.server.stats().accepted).toBe(1)
  })

  test('reconnects after it broke, and logs one line', async () => {
    const { url, next } = await runningServer()
    const { states, lines } = reconnecting(url)
    for (let count = 0; count < 3; count++) {
      const { socket } = await next()
      expect(await stateOf(states, 'open')).toEqual({ state: 'open' })
      socket.terminate()
      expect(await stateOf(states, 'waiting')).toMatchObject({ reason: 'closed', code: 1006 })
    }
    expect(lines).toEqual(['hubwire: no connection: 1006 closed; trying again'])
  })

  test.each([1000, 1001, 1005, 1011, 1012, 3000, 4000, 4399, 4408, 4500])(
    'reconnects after the server closed with %d, and logs only unexpected closures',
    async (code) => {
      const { url, next } = await runningServer()
      const { states, lines } = reconnecting(url)
      const { socket } = await next()
      if (code === 1005) socket.close()
      else socket.close(code)
      await next()
      expect(await stateOf(states, 'waiting')).toMatchObject({ reason: 'closed', code, attempt: 2 })
      await stateOf(states, 'open')
      expect(lines).toHaveLength([1000, 1001, 1005, 1012].includes(code) ? 0 : 1)
    },
  )

  test.each([1013, 4429])('reconnects after a longer delay when the server closed with %d', async (code) => {
    const { url, next } = await runningServer()
    const { states } = reconnecting(url)
    const { socket } = await next()
    socket.close(code)
    const { reason, delay } = await stateOf(states, 'waiting')
    expect(reason).toBe('busy')
    expect(delay).toBeGreaterThanOrEqual(QUICK.max / 2)
    expect(delay).toBeLessThanOrEqual(QUICK.max)
    await next()
    await stateOf(states, 'open')
  })
})

describe('a refusal', () => {
  test.each([1008, 4400, 4403, 4404, 4499])('with %d is final', async (code) => {
    const { server, url, next } = await runningServer()
    const { socket, states, lines } = reconnecting(url, { queue: 3 })
    const accepted = await next()
    accepted.socket.close(code, 'because')
    expect(await statesUntil(states, 'closed')).toEqual(['open', 'closed'])
    expect(socket.status).toEqual({ state: 'closed', code, reason: 'because', dropped: 0 })
    expect(lines).toEqual([`hubwire: closed for good: ${code} because`])
    expect(socket.send('too late')).toBe('dropped')
    expect(server.stats().accepted).toBe(1)
  })

  test('with 4401 calls the URL function exactly once more (N13)', async () => {
    const { server, url } = await runningServer({ authenticate: () => refuse.close(4401, 'expired') })
    const asked: Attempt[] = []
    const { states, lines } = reconnecting((attempt) => {
      asked.push(attempt)
      return url
    })
    const names = await statesUntil(states, 'closed')
    expect(names).toEqual(['open', 'waiting', 'connecting', 'open', 'closed'])
    expect(asked.map(({ attempt, code }) => [attempt, code])).toEqual([
      [1, undefined],
      [2, 4401],
    ])
    expect(server.stats().refused.application).toBe(2)
    expect(lines).toEqual(['hubwire: closed for good: 4401 expired'])
  })

  test('with 4401 of each of two stable connections renews the token each time', async () => {
    const { url, next } = await runningServer()
    const codes: unknown[] = []
    const { states } = reconnecting(
      ({ code }) => {
        codes.push(code)
        return url
      },
      { stableAfter: 0 },
    )
    for (let count = 0; count < 2; count++) {
      const { socket } = await next()
      await stateOf(states, 'open')
      const closed = closeOf(socket)
      // Its timer for stability was set before ours.
      setTimeout(() => socket.close(4401, 'expired'), 1)
      await closed
    }
    await next()
    await stateOf(states, 'open')
    expect(codes).toEqual([undefined, 4401, 4401])
  })

  test('by HTTP status is reported like an unreachable server', async () => {
    const { url } = await runningServer({ authenticate: () => refuse(401) })
    const { states } = reconnecting(url)
    const reasons = []
    while (reasons.length < 4) reasons.push((await stateOf(states, 'waiting')).reason)
    expect(reasons).toEqual(['failed', 'failed', 'unreachable-or-refused', 'unreachable-or-refused'])
  })
})

describe('an attempt', () => {
  test('is retried with increasing attempt numbers while no server listens', async () => {
    const { states, lines } = reconnecting(`ws://127.0.0.1:${await closedPort()}`)
    const found = []
    while (found.length < 3) found.push(await stateOf(states, 'waiting'))
    expect(found.map(({ attempt, code, reason }) => ({ attempt, code, reason }))).toEqual([
      { attempt: 2, code: 1006, reason: 'failed' },
      { attempt: 3, code: 1006, reason: 'failed' },
      { attempt: 4, code: 1006, reason: 'unreachable-or-refused' },
    ])
    expect(lines).toEqual(['hubwire: no connection: 1006 failed; trying again'])
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('no token')
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('no token')
      },
    ],
  ])(
    'fails and reports the error if its URL function %s',
    async (_what, source: () => string | Promise<string>) => {
      const { states, errors, lines } = reconnecting(source)
      expect(await statesUntil(states, 'waiting')).toEqual(['waiting'])
      expect(await statesUntil(states, 'waiting')).toEqual(['connecting', 'waiting'])
      expect(await errors.next()).toEqual(new Error('no token'))
      expect(await errors.next()).toEqual(new Error('no token'))
      expect(lines).toEqual(['hubwire: no connection: 1006 Error: no token; trying again'])
    },
  )

  test('fails and aborts its signal if its URL function never settles', async () => {
    const signals: AbortSignal[] = []
    const { states } = reconnecting(
      ({ signal }) => {
        signals.push(signal)
        return new Promise<string>(() => {})
      },
      { connectTimeout: 10 },
    )
    await stateOf(states, 'waiting')
    await stateOf(states, 'waiting')
    expect(signals.slice(0, 2).map(({ aborted }) => aborted)).toEqual([true, true])
  })

  test('opens nothing if its URL arrives after the timeout', async () => {
    const { server, url } = await runningServer()
    // The clock stands still while the third attempt connects.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    let settle = (_url: string): void => {}
    let rejectLate = (_error: Error): void => {}
    const { socket, states, errors } = reconnecting(
      ({ attempt }) =>
        attempt === 1
          ? new Promise<string>((resolve) => (settle = resolve))
          : attempt === 2
            ? new Promise<string>((_resolve, reject) => (rejectLate = reject))
            : url,
      { connectTimeout: 1000 },
    )
    await vi.advanceTimersByTimeAsync(1000)
    await stateOf(states, 'waiting')
    settle(url)
    await vi.advanceTimersByTimeAsync(QUICK.max)
    await stateOf(states, 'connecting')
    await vi.advanceTimersByTimeAsync(1000)
    await stateOf(states, 'waiting')
    rejectLate(new Error('too late'))
    await vi.advanceTimersByTimeAsync(QUICK.max)
    await stateOf(states, 'open')
    expect(server.stats().accepted).toBe(1)
    socket.dispatchEvent(Object.assign(new Event('error'), { error: 'the only one' }))
    expect(await errors.next()).toBe('the only one')
  })

  test('is abandoned if the server accepts but does not answer', async () => {
    const silent = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    const { states } = reconnecting(`ws://127.0.0.1:${port}`, { connectTimeout: 20 })
    expect(await stateOf(states, 'waiting')).toMatchObject({ reason: 'failed' })
    expect(await stateOf(states, 'connecting')).toMatchObject({ attempt: 2 })
    silent.close()
  })

  test('fails if the WebSocket class throws', async () => {
    const { errors, states } = reconnecting('ws://127.0.0.1:1', { protocols: ['not a token'] })
    expect(await errors.next()).toMatchObject({ name: 'SyntaxError' })
    await stateOf(states, 'waiting')
  })

  test('takes its URL from a promise', async () => {
    const { url, next } = await runningServer()
    reconnecting(Promise.resolve(new URL(`${url}/path?query#fragment`)))
    expect((await next()).request.url).toBe('/path?query')
  })
})

describe('shouldReconnect', () => {
  test('can reconnect after a final close code, and receives how the connection ended', async () => {
    const { url, next } = await runningServer()
    const asked: unknown[] = []
    const { states } = reconnecting(url, {
      shouldReconnect: ({ code, reason, wasClean }) => {
        asked.push({ code, reason, wasClean })
        return true
      },
    })
    const { socket } = await next()
    socket.close(4403, 'no')
    await next()
    expect(await statesUntil(states, 'waiting')).toEqual(['open', 'waiting'])
    await stateOf(states, 'open')
    expect(asked).toEqual([{ code: 4403, reason: 'no', wasClean: true }])
  })

  test('can stop reconnecting after a retryable code', async () => {
    const { url, next } = await runningServer()
    const { states } = reconnecting(url, { shouldReconnect: ({ code }) => code !== 1000 })
    const { socket } = await next()
    socket.close(1000, 'that was all')
    expect(await stateOf(states, 'closed')).toEqual({
      state: 'closed',
      code: 1000,
      reason: 'that was all',
      dropped: 0,
    })
  })

  test('falls back to the close code and reports the error when it throws', async () => {
    const { url, next } = await runningServer()
    const mistake = new Error('a mistake')
    const { states, errors } = reconnecting(url, {
      shouldReconnect: () => {
        throw mistake
      },
    })
    ;(await next()).socket.terminate()
    await next()
    expect(await statesUntil(states, 'waiting')).toEqual(['open', 'waiting'])
    expect(await errors.next()).toBe(mistake)
  })
})

describe('close()', () => {
  test('closes with 1000 and never connects again', async () => {
    const { server, url, next } = await runningServer()
    const { socket, states, lines } = reconnecting(url)
    const accepted = await next()
    await stateOf(states, 'open')
    const closed = closeOf(accepted.socket)
    socket.close()
    expect(socket.status).toEqual({ state: 'closed', code: 1000, reason: '', dropped: 0 })
    expect(await closed).toMatchObject({ code: 1000, wasClean: true, initiator: 'remote' })
    expect(await stateOf(states, 'closed')).toEqual(socket.status)
    expect(server.stats().accepted).toBe(1)
    expect(lines).toEqual([])
  })

  test('sends its code and reason after earlier messages', async () => {
    const { url, next } = await runningServer()
    const { socket, states } = reconnecting(url)
    const accepted = await next()
    await stateOf(states, 'open')
    const [received, closed] = [inbox(accepted.socket), closeOf(accepted.socket)]
    socket.send('last words')
    socket.close(4000, 'done')
    expect(await received.next()).toBe('last words')
    expect(await closed).toMatchObject({ code: 4000, reason: 'done' })
    // A second one changes nothing.
    socket.close(4001, 'done again')
    expect(socket.status).toMatchObject({ code: 4000, reason: 'done' })
  })

  test("ends an attempt, even from the listener of its 'state' event", async () => {
    const { server, url } = await runningServer()
    const { socket, states } = reconnecting(url)
    socket.close()
    expect(await statesUntil(states, 'closed')).toEqual(['closed'])
    socket.reconnect()
    socket.close()
    socket.addEventListener('state', ({ state }) => {
      if (state === 'connecting') socket.close(3000)
    })
    socket.reconnect()
    expect(socket.status).toMatchObject({ state: 'closed', code: 3000 })
    expect(server.stats().accepted).toBe(0)
  })

  test('drops and counts queued messages when called as the connection opens', async () => {
    const { url, next } = await runningServer()
    const { socket, states } = reconnecting(url, { queue: 2 })
    expect([socket.send('one'), socket.send('two'), socket.send('three')]).toEqual([
      'queued',
      'queued',
      'dropped',
    ])
    socket.addEventListener('state', ({ state }) => {
      if (state === 'open') socket.close()
    })
    const { socket: accepted } = await next()
    const received: unknown[] = []
    accepted.on('message', (data) => received.push(data))
    await closeOf(accepted)
    expect(received).toEqual([])
    expect(await stateOf(states, 'closed')).toMatchObject({ dropped: 2 })
  })

  test.each([999, 1001, 2999, 5000, NaN])('throws for the code %d', async (code) => {
    const { socket } = reconnecting('ws://127.0.0.1:1')
    expect(() => {
      socket.close(code)
    }).toThrow(new RangeError(`The code must be 1000, or 3000 to 4999; it is ${code}`))
    expect(socket.status.state).toBe('connecting')
  })

  test('throws for a reason of more than 123 bytes', async () => {
    const { socket } = reconnecting('ws://127.0.0.1:1')
    expect(() => {
      socket.close(null, 'ü'.repeat(62))
    }).toThrow(/^The reason must be at most 123 bytes/)
    socket.close(null, null)
    expect(socket.status).toMatchObject({ state: 'closed', code: 1000, reason: '' })
  })
})

describe('reconnect()', () => {
  test('connects immediately during a delay', async () => {
    const { url, next } = await runningServer()
    const { socket, states } = reconnecting(url, { delay: { min: 60_000, first: 60_000, max: 60_000 } })
    ;(await next()).socket.terminate()
    await stateOf(states, 'waiting')
    socket.reconnect()
    expect(await statesUntil(states, 'open')).toEqual(['connecting', 'open'])
    await next()
  })

  test('replaces an open connection', async () => {
    const { url, next } = await runningServer()
    const { socket, states } = reconnecting(url)
    const closed = closeOf((await next()).socket)
    await stateOf(states, 'open')
    socket.reconnect()
    expect(await closed).toMatchObject({ code: 1000, wasClean: true })
    expect(await statesUntil(states, 'open')).toEqual(['connecting', 'open'])
    await next()
  })

  test("reconnects after 'closed'", async () => {
    const { url, next } = await runningServer()
    const { socket, states } = reconnecting(url)
    ;(await next()).socket.close(4403)
    await stateOf(states, 'closed')
    socket.reconnect()
    await next()
    expect(await statesUntil(states, 'open')).toEqual(['connecting', 'open'])
  })
})

describe('send()', () => {
  test('drops messages without a connection by default', async () => {
    const { url, next } = await runningServer()
    const { socket, states } = reconnecting(url)
    expect(socket.send('early')).toBe('dropped')
    const accepted = await next()
    await stateOf(states, 'open')
    const received = inbox(accepted.socket)
    expect(socket.send('in time')).toBe('sent')
    expect(await received.next()).toBe('in time')
  })

  test('queues up to the limit, and sends each message once, in order, after those sent by the state listener', async () => {
    const { url, next } = await runningServer()
    const { socket } = reconnecting(url, { queue: 2 })
    socket.addEventListener('state', ({ state }) => {
      if (state === 'open') socket.send('hello')
    })
    expect([socket.send('one'), socket.send('two'), socket.send('three')]).toEqual([
      'queued',
      'queued',
      'dropped',
    ])
    const first = await next()
    const received = inbox(first.socket)
    expect([await received.next(), await received.next(), await received.next()]).toEqual([
      'hello',
      'one',
      'two',
    ])
    first.socket.terminate()
    const second = await next()
    const again = inbox(second.socket)
    second.socket.once('message', () => socket.send('four'))
    expect([await again.next(), await again.next()]).toEqual(['hello', 'four'])
  })

  test('counts unsent bytes in bufferedAmount', async () => {
    const { url, next } = await runningServer()
    const { socket, states } = reconnecting(url)
    expect(socket.bufferedAmount).toBe(0)
    await next()
    await stateOf(states, 'open')
    socket.send('x'.repeat(1000))
    expect(socket.bufferedAmount).toBe(1000)
  })
})

describe('recovery', () => {
  interface Event {
    offset?: number
    recovered?: boolean
  }
  const read = (data: unknown): Event => JSON.parse(String(data)) as Event

  test('passes the last position to the URL function, and reports whether the server resumed from it', async () => {
    const { url, next } = await runningServer()
    const { socket } = reconnecting<number>(({ position }) => `${url}/?since=${position}`, {
      position: (data) => read(data).offset,
      isRecovered: (data) => read(data).recovered,
    })
    const told: boolean[] = []
    const recovery = new Promise<void>((resolve) => {
      socket.addEventListener('recovery', ({ recovered }) => {
        if (told.push(recovered) === 2) resolve()
      })
    })
    const urls: (string | undefined)[] = []
    for (const answers of [
      [{ offset: 7 }, { offset: 8 }, {}],
      [{}, { recovered: true }, { offset: 9 }],
      [{ recovered: false }],
    ]) {
      const { socket: accepted, request } = await next()
      urls.push(request.url)
      for (const answer of answers) accepted.send(JSON.stringify(answer))
      if (urls.length < 3) accepted.close(1001)
    }
    await recovery
    expect(urls).toEqual(['/?since=undefined', '/?since=8', '/?since=9'])
    expect(told).toEqual([true, false])
  })

  test('reports recovered: false immediately if no position is known', async () => {
    const { url, next } = await runningServer()
    const { socket } = reconnecting(url, { position: () => undefined, isRecovered: () => true })
    const told = once(socket, 'recovery') as Promise<[{ recovered: boolean }]>
    ;(await next()).socket.close(1001)
    await next()
    expect((await told)[0].recovered).toBe(false)
  })

  test('reports errors of the functions, and delivers the message', async () => {
    const { url, next } = await runningServer()
    const { messages, errors } = reconnecting<number>(url, { position: (data) => read(data).offset })
    ;(await next()).socket.send('not JSON')
    expect(await messages.next()).toBe('not JSON')
    expect(await errors.next()).toBeInstanceOf(SyntaxError)
  })
})
