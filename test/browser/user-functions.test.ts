import {
  type ReconnectingOptions,
  ReconnectingWebSocket,
  type Sendable,
  type UrlSource,
} from 'hubwire/browser'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FakeWebSocket } from '../support/fake-web-socket.js'

let socket: ReconnectingWebSocket

beforeEach(() => {
  vi.useFakeTimers()
  FakeWebSocket.made = []
})
afterEach(() => {
  socket.close()
  vi.useRealTimers()
})

/** Makes a client, and lets its attempt reach the class that connects. */
async function connect(options: ReconnectingOptions = {}, url: UrlSource = 'ws://server/'): Promise<void> {
  socket = new ReconnectingWebSocket(url, { WebSocket: FakeWebSocket, log: false, ...options })
  await vi.advanceTimersByTimeAsync(0)
}

const aMinute = (): Promise<unknown> => vi.advanceTimersByTimeAsync(60_000)

describe('close()', () => {
  test("from an 'error' listener ends an attempt whose URL function throws", async () => {
    const source = vi.fn(() => {
      throw new Error('no token')
    })
    const connected = connect({}, source)
    socket.addEventListener('error', () => {
      socket.close()
    })
    await connected
    expect(socket.status).toEqual({ state: 'closed', code: 1000, reason: '', dropped: 0 })
    await aMinute()
    expect(source).toHaveBeenCalledOnce()
  })

  test.each(['shouldReconnect', 'log'] as const)('from %s ends a connection that was lost', async (name) => {
    const close = (): undefined => {
      socket.close()
    }
    await connect({ [name]: close })
    FakeWebSocket.last.open()
    FakeWebSocket.last.lose()
    await aMinute()
    expect(socket.status).toMatchObject({ state: 'closed', code: 1000 })
    expect(FakeWebSocket.made).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})

test('reconnect() from shouldReconnect begins one attempt, which is the first', async () => {
  await connect({
    shouldReconnect() {
      socket.reconnect()
      return undefined
    },
  })
  FakeWebSocket.last.open()
  FakeWebSocket.last.lose()
  expect(socket.status).toEqual({ state: 'connecting', attempt: 1 })
  await vi.advanceTimersByTimeAsync(9000)
  expect(FakeWebSocket.made).toHaveLength(2)
})

describe('a function that throws', () => {
  test('as isAnswer delivers the message, and is reported', async () => {
    const isAnswer = (data: unknown): boolean =>
      (JSON.parse(String(data)) as { type: string }).type === 'pong'
    await connect({ ping: { isAnswer, interval: 1000 } })
    const [messages, errors] = [[] as unknown[], [] as unknown[]]
    socket.addEventListener('message', ({ data }) => messages.push(data))
    socket.addEventListener('error', ({ error }) => errors.push(error))
    FakeWebSocket.last.open()
    await vi.advanceTimersByTimeAsync(1000)
    expect(FakeWebSocket.last.sent).toHaveLength(1)
    FakeWebSocket.last.receive('no JSON')
    FakeWebSocket.last.receive('{"type":"pong"}')
    expect(messages).toEqual(['no JSON'])
    expect(errors).toEqual([expect.any(SyntaxError)])
  })

  test('as log is reported, and the client connects again', async () => {
    const mistake = new Error('a mistake')
    await connect({
      log() {
        throw mistake
      },
    })
    const errors: unknown[] = []
    socket.addEventListener('error', ({ error }) => errors.push(error))
    FakeWebSocket.last.lose()
    expect(errors).toEqual([mistake])
    await vi.advanceTimersByTimeAsync(2000)
    expect(FakeWebSocket.made).toHaveLength(2)
  })
})

test('a URL that arrives after its attempt was abandoned does not affect the connection', async () => {
  const late: ((url: string) => void)[] = []
  let isSlow = false
  const source = (): string | Promise<string> =>
    isSlow ? new Promise((resolve) => late.push(resolve)) : 'ws://server/'
  const read = (data: unknown): { position?: number; recovered?: boolean } =>
    JSON.parse(String(data)) as { position?: number; recovered?: boolean }
  await connect(
    { position: (data) => read(data).position, isRecovered: (data) => read(data).recovered },
    source,
  )
  const recoveries: boolean[] = []
  socket.addEventListener('recovery', ({ recovered }) => recoveries.push(recovered))
  FakeWebSocket.last.open()
  FakeWebSocket.last.receive('{"position":1}')
  isSlow = true
  socket.reconnect()
  await vi.advanceTimersByTimeAsync(0)
  isSlow = false
  socket.reconnect()
  await vi.advanceTimersByTimeAsync(0)
  FakeWebSocket.last.open()
  FakeWebSocket.last.receive('{"recovered":true}')
  late[0]!('ws://server/')
  await vi.advanceTimersByTimeAsync(0)
  FakeWebSocket.last.receive('{"recovered":false}')
  expect(recoveries).toEqual([true])
  expect(FakeWebSocket.made).toHaveLength(2)
})

test('a ping is not queued while the connection closes', async () => {
  await connect({ queue: 1, ping: { interval: 1000, timeout: 2000 } })
  FakeWebSocket.last.open()
  FakeWebSocket.last.readyState = 2
  await vi.advanceTimersByTimeAsync(1000)
  expect(socket.send('a message')).toBe('queued')
  await vi.advanceTimersByTimeAsync(4000)
  expect(FakeWebSocket.made).toHaveLength(2)
  FakeWebSocket.last.open()
  expect(FakeWebSocket.last.sent).toEqual(['a message'])
})

test('a queued message that cannot be sent is reported, and the others are sent', async () => {
  const mistake = new TypeError('It cannot be sent')
  class Strict extends FakeWebSocket {
    override send(data: Sendable): void {
      if (data === 'bad') throw mistake
      super.send(data)
    }
  }
  const connected = connect({ WebSocket: Strict, queue: 3 })
  for (const message of ['one', 'bad', 'three']) socket.send(message)
  await connected
  const errors: unknown[] = []
  socket.addEventListener('error', ({ error }) => errors.push(error))
  FakeWebSocket.last.open()
  expect(FakeWebSocket.last.sent).toEqual(['one', 'three'])
  expect(errors).toEqual([mistake])
})
