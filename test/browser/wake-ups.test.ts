import { ReconnectingWebSocket, type Status } from 'hubwire/browser'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FakePage } from '../support/fake-page.js'
import { FakeWebSocket } from '../support/fake-web-socket.js'

const FIRST = 2000
const LONGEST = 30_000

let page: FakePage
let socket: ReconnectingWebSocket
let states: Status['state'][]

beforeEach(async () => {
  vi.useFakeTimers()
  page = new FakePage()
  FakeWebSocket.made = []
  states = []
  socket = new ReconnectingWebSocket('ws://server/', {
    WebSocket: FakeWebSocket,
    delay: { min: FIRST, first: FIRST, max: LONGEST },
    ping: {},
    log: false,
  })
  socket.addEventListener('state', ({ state }) => states.push(state))
  await vi.advanceTimersByTimeAsync(0)
})
afterEach(() => {
  socket.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** Lets promises settle, without any time passing. */
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0)

/** Loses an open connection long after it was tried, so that a wait begins. */
async function lose(code?: number): Promise<void> {
  FakeWebSocket.last.open()
  await vi.advanceTimersByTimeAsync(FIRST)
  FakeWebSocket.last.lose(code)
  expect(socket.status.state).toBe('waiting')
}

describe('a delay', () => {
  test.each(['online', 'visibilitychange', 'pageshow'] as const)(
    "ends immediately at '%s', with one attempt",
    async (type) => {
      await lose()
      page.fire(type)
      page.fire(type)
      await settle()
      expect(FakeWebSocket.made).toHaveLength(2)
      expect(socket.status).toEqual({ state: 'connecting', attempt: 1 })
      await vi.advanceTimersByTimeAsync(FIRST)
      expect(FakeWebSocket.made).toHaveLength(2)
    },
  )

  test('is not ended when the page is hidden', async () => {
    await lose()
    page.document.visibilityState = 'hidden'
    page.fire('visibilitychange')
    await settle()
    expect(socket.status.state).toBe('waiting')
  })

  test("is ended by 'online' even in a hidden page", async () => {
    page.navigator.onLine = false
    page.document.visibilityState = 'hidden'
    await lose()
    page.navigator.onLine = true
    page.fire('online')
    await settle()
    expect(socket.status.state).toBe('connecting')
  })

  test("is not ended by 'offline'", async () => {
    await lose()
    page.fire('offline')
    await settle()
    expect(socket.status.state).toBe('waiting')
  })

  test('is not ended when the page is shown right after an attempt, but when the network is back', async () => {
    FakeWebSocket.last.lose()
    page.fire('visibilitychange')
    await settle()
    expect(socket.status.state).toBe('waiting')
    page.fire('online')
    await settle()
    expect(socket.status.state).toBe('connecting')
  })

  test('requested by the server is not shortened by page events', async () => {
    await lose(1013)
    expect(socket.status).toMatchObject({ reason: 'busy' })
    for (const type of ['online', 'visibilitychange', 'pageshow'] as const) page.fire(type)
    await settle()
    expect(socket.status.state).toBe('waiting')
    await vi.advanceTimersToNextTimerAsync()
    expect(FakeWebSocket.made).toHaveLength(2)
  })

  test("lasts delay.max while offline, and ends at 'online'", async () => {
    page.navigator.onLine = false
    await lose()
    expect(socket.status).toMatchObject({ reason: 'offline', delay: LONGEST })
    page.navigator.onLine = true
    page.fire('online')
    await settle()
    expect(FakeWebSocket.made).toHaveLength(2)
  })
})

describe('an open connection', () => {
  test.each(['online', 'offline', 'visibilitychange', 'pageshow'] as const)(
    "is pinged at '%s', and abandoned without an answer",
    async (type) => {
      FakeWebSocket.last.open()
      await vi.advanceTimersByTimeAsync(10_000)
      page.fire(type)
      expect(FakeWebSocket.last.sent).toEqual(['{"action":"ping"}'])
      await vi.advanceTimersByTimeAsync(10_000)
      expect(states).toEqual(['open', 'waiting'])
      expect(socket.status).toMatchObject({ reason: 'silent', code: 1006 })
    },
  )

  test('is kept when it answers', async () => {
    FakeWebSocket.last.open()
    await vi.advanceTimersByTimeAsync(10_000)
    page.fire('online')
    await vi.advanceTimersByTimeAsync(40)
    const messages: unknown[] = []
    socket.addEventListener('message', ({ data }) => messages.push(data))
    FakeWebSocket.last.receive(' { "type" : "pong" }')
    FakeWebSocket.last.receive('news')
    expect([messages, socket.latency]).toEqual([['news'], 40])
    await vi.advanceTimersByTimeAsync(20_000)
    expect(states).toEqual(['open'])
  })
})

describe('leaving the page', () => {
  test('closes with 1000, and only returning to the page connects again', async () => {
    FakeWebSocket.last.open()
    page.fire('pagehide')
    expect(FakeWebSocket.last.closes).toEqual([1000])
    const hidden = { state: 'waiting', reason: 'hidden', delay: Infinity, attempt: 1, code: 1000 }
    expect(socket.status).toEqual(hidden)
    page.fire('visibilitychange')
    page.fire('online')
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(FakeWebSocket.made).toHaveLength(1)
    page.fire('pageshow')
    await settle()
    FakeWebSocket.last.open()
    expect(states).toEqual(['open', 'waiting', 'connecting', 'open'])
    expect(FakeWebSocket.made).toHaveLength(2)
  })

  test('ends an attempt', async () => {
    page.fire('pagehide')
    FakeWebSocket.last.open()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(states).toEqual(['waiting'])
  })
})

test('a closed client ignores page events until it reconnects', async () => {
  socket.close()
  for (const type of ['online', 'pagehide', 'pageshow'] as const) page.fire(type)
  await settle()
  expect(states).toEqual(['closed'])
  socket.reconnect()
  page.fire('pagehide')
  expect(states).toEqual(['closed', 'connecting', 'waiting'])
})

describe('the delays', () => {
  /** Lets a wait end, and the attempt begin. */
  async function waitOut(): Promise<number> {
    const { status } = socket
    const delay = status.state === 'waiting' ? status.delay : NaN
    await vi.advanceTimersByTimeAsync(Math.ceil(delay))
    expect(socket.status.state).toBe('connecting')
    return delay
  }

  test('double up to delay.max while attempts fail, and start over after a stable connection', async () => {
    const delays: number[] = []
    for (let count = 0; count < 6; count++) {
      FakeWebSocket.last.lose()
      delays.push(await waitOut())
    }
    for (const [failures, delay] of delays.entries()) {
      expect(delay).toBeGreaterThanOrEqual(FIRST)
      expect(delay).toBeLessThanOrEqual(Math.min(LONGEST, FIRST * 2 ** failures))
    }
    expect(new Set(delays.slice(1)).size).toBe(5)
    FakeWebSocket.last.open()
    await vi.advanceTimersByTimeAsync(5000)
    FakeWebSocket.last.lose()
    expect(socket.status).toMatchObject({ attempt: 2, delay: FIRST })
  })

  test('keep growing after a connection that was not stable', async () => {
    for (let count = 0; count < 3; count++) {
      FakeWebSocket.last.open()
      await vi.advanceTimersByTimeAsync(4999)
      FakeWebSocket.last.lose()
      expect(socket.status).toMatchObject({ attempt: count + 2 })
      await waitOut()
    }
  })
})
