import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ReconnectingSocket } from '../../examples/chat/page/reconnecting-socket.js'

/** A browser's socket under the test's thumb. */
class FakeWebSocket {
  static readonly OPEN = 1
  static made: FakeWebSocket[] = []

  readonly url: string
  readonly sent: string[] = []
  readyState = 0
  closes = 0
  onopen = (): void => {}
  onmessage = (_event: { data: string }): void => {}
  onclose = (): void => {}

  constructor(url: string) {
    this.url = url
    FakeWebSocket.made.push(this)
  }

  static get last(): FakeWebSocket {
    return FakeWebSocket.made.at(-1)!
  }

  send(data: string): void {
    this.sent.push(data)
  }

  close(): void {
    this.closes++
    this.readyState = 3
  }

  open(): void {
    this.readyState = 1
    this.onopen()
  }

  receive(event: object): void {
    this.onmessage({ data: JSON.stringify(event) })
  }

  lose(): void {
    this.readyState = 3
    this.onclose()
  }
}

let events: unknown[]
let states: string[]
let socket: ReconnectingSocket

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('WebSocket', FakeWebSocket)
  vi.spyOn(Math, 'random').mockReturnValue(0)
  FakeWebSocket.made = []
  events = []
  states = []
  socket = new ReconnectingSocket(
    'ws://chat/',
    (event) => events.push(event),
    (state, delay) => states.push(state === 'waiting' ? `${state} ${delay}` : state),
  )
})
afterEach(() => {
  socket.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

/** The delays before the next attempts, each of which fails. */
function delaysOf(failures: number): number[] {
  const delays = []
  for (let count = 0; count < failures; count++) {
    FakeWebSocket.last.lose()
    delays.push(Number(states.at(-1)?.split(' ')[1]))
    vi.runOnlyPendingTimers()
  }
  return delays
}

test('tells its state and hands on what comes', () => {
  expect(FakeWebSocket.last.url).toBe('ws://chat/')
  FakeWebSocket.last.open()
  FakeWebSocket.last.receive({ type: 'pong' })
  FakeWebSocket.last.lose()
  expect(events).toEqual([{ type: 'pong' }])
  expect(states).toEqual(['connecting', 'open', 'waiting 250'])
})

test('sends only while it is open', () => {
  expect(socket.send({ text: 'early' })).toBe(false)
  FakeWebSocket.last.open()
  expect(socket.send({ text: 'in time' })).toBe(true)
  expect(FakeWebSocket.last.sent).toEqual(['{"text":"in time"}'])
})

describe('the delay', () => {
  test('doubles up to half a minute; its lower half is certain', () => {
    expect(delaysOf(8)).toEqual([250, 500, 1000, 2000, 4000, 8000, 15000, 15000])
  })

  test('has an upper half of chance', () => {
    vi.mocked(Math.random).mockReturnValue(0.5)
    expect(delaysOf(3)).toEqual([375, 750, 1500])
  })

  test('starts over after a connection that lasted', () => {
    delaysOf(4)
    FakeWebSocket.last.open()
    vi.advanceTimersByTime(5000)
    expect(delaysOf(2)).toEqual([250, 500])
  })

  test('goes on growing after one that did not last', () => {
    delaysOf(4)
    FakeWebSocket.last.open()
    vi.advanceTimersByTime(4999)
    expect(delaysOf(2)).toEqual([4000, 8000])
  })

  test('is cut short by connect(), and no second attempt follows', () => {
    FakeWebSocket.last.lose()
    socket.connect()
    vi.advanceTimersByTime(60_000)
    expect(FakeWebSocket.made).toHaveLength(2)
  })
})

describe('a silent connection', () => {
  test('is asked for a sign of life, and given up without one', () => {
    const silent = FakeWebSocket.last
    silent.open()
    vi.advanceTimersByTime(15_000)
    expect(silent.sent).toEqual(['{"action":"ping"}'])
    vi.advanceTimersByTime(15_000)
    expect(silent.closes).toBe(1)
    expect(states.at(-1)).toBe('waiting 250')
  })

  test('is kept when anything comes', () => {
    FakeWebSocket.last.open()
    for (let count = 0; count < 10; count++) {
      vi.advanceTimersByTime(15_000)
      FakeWebSocket.last.receive({ type: 'pong' })
    }
    expect(FakeWebSocket.made).toHaveLength(1)
    expect(FakeWebSocket.last.sent).toHaveLength(10)
  })
})

test('what a socket does after it was given up concerns nobody', () => {
  const first = FakeWebSocket.last
  socket.connect()
  const before = states.length
  first.open()
  first.receive({ type: 'chat_message' })
  first.lose()
  expect(events).toEqual([])
  expect(states).toHaveLength(before)
})

test('close() is the end', () => {
  FakeWebSocket.last.open()
  socket.close()
  FakeWebSocket.last.lose()
  vi.advanceTimersByTime(60_000)
  expect(FakeWebSocket.made).toHaveLength(1)
})
