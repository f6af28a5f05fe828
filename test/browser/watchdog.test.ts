import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Watchdog } from '#src/browser/watchdog.js'

const INTERVAL = 25_000
const TIMEOUT = 10_000

let pings: number
let deaths: number
let watchdog: Watchdog

beforeEach(() => {
  vi.useFakeTimers()
  pings = deaths = 0
  const isAnswer = (data: unknown): boolean => data === 'pong'
  watchdog = new Watchdog(
    { message: 'ping', isAnswer, interval: INTERVAL, timeout: TIMEOUT },
    (message) => {
      expect(message).toBe('ping')
      pings++
    },
    () => deaths++,
  )
})
afterEach(() => {
  watchdog.stop()
  vi.useRealTimers()
})

/** Lets the clock go on while timers stand still, as a laptop that sleeps does. */
function sleep(milliseconds: number): void {
  vi.setSystemTime(Date.now() + milliseconds)
}

describe('a silent connection', () => {
  test('is pinged after the interval and abandoned after the timeout', () => {
    vi.advanceTimersByTime(INTERVAL - 1)
    expect(pings).toBe(0)
    vi.advanceTimersByTime(1)
    expect(pings).toBe(1)
    vi.advanceTimersByTime(TIMEOUT - 1)
    expect(deaths).toBe(0)
    vi.advanceTimersByTime(1)
    expect([pings, deaths]).toEqual([1, 1])
    vi.advanceTimersByTime(INTERVAL + TIMEOUT)
    expect([pings, deaths]).toEqual([1, 1])
  })

  test('is pinged one interval after the last message', () => {
    vi.advanceTimersByTime(INTERVAL - 1)
    expect(watchdog.hear('news')).toBe(false)
    vi.advanceTimersByTime(INTERVAL - 1)
    expect(pings).toBe(0)
    vi.advanceTimersByTime(1)
    expect(pings).toBe(1)
  })

  test('is kept if any message arrives in time', () => {
    vi.advanceTimersByTime(INTERVAL + TIMEOUT - 1)
    expect(watchdog.hear('news')).toBe(false)
    vi.advanceTimersByTime(INTERVAL - 1)
    expect([pings, deaths]).toEqual([1, 0])
    vi.advanceTimersByTime(1)
    expect(pings).toBe(2)
  })

  test('is not pinged after stop()', () => {
    watchdog.stop()
    vi.advanceTimersByTime(INTERVAL + TIMEOUT)
    expect([pings, deaths]).toEqual([0, 0])
  })
})

describe('an answer', () => {
  test('is not delivered to the page, and sets the latency', () => {
    vi.advanceTimersByTime(INTERVAL + 30)
    expect(watchdog.latency).toBeUndefined()
    expect(watchdog.hear('pong')).toBe(true)
    expect(watchdog.latency).toBe(30)
  })

  test('is recognized after other messages', () => {
    vi.advanceTimersByTime(INTERVAL + 30)
    expect(watchdog.hear('news')).toBe(false)
    vi.advanceTimersByTime(20)
    expect(watchdog.hear('pong')).toBe(true)
    expect(watchdog.latency).toBe(50)
  })

  test('without a ping is delivered to the page', () => {
    expect(watchdog.hear('pong')).toBe(false)
    vi.advanceTimersByTime(INTERVAL)
    expect(watchdog.hear('pong')).toBe(true)
    expect(watchdog.hear('pong')).toBe(false)
  })
})

describe('a timer that fires late', () => {
  test('pings once more before the connection is abandoned', () => {
    vi.advanceTimersByTime(INTERVAL)
    sleep(3_600_000)
    vi.advanceTimersByTime(TIMEOUT)
    expect([pings, deaths]).toEqual([2, 0])
    sleep(3_600_000)
    vi.advanceTimersByTime(TIMEOUT)
    expect([pings, deaths]).toEqual([2, 1])
  })

  test('keeps a connection that survived the sleep, and pings again after the next sleep', () => {
    for (let count = 1; count <= 2; count++) {
      vi.advanceTimersByTime(INTERVAL)
      sleep(3_600_000)
      vi.advanceTimersByTime(TIMEOUT)
      expect([pings, deaths]).toEqual([2 * count, 0])
      expect(watchdog.hear('pong')).toBe(true)
    }
  })

  test('by less than the timeout abandons the connection', () => {
    vi.advanceTimersByTime(INTERVAL)
    sleep(TIMEOUT)
    vi.advanceTimersByTime(TIMEOUT)
    expect([pings, deaths]).toEqual([1, 1])
  })

  test('pings immediately if no ping is pending', () => {
    sleep(3_600_000)
    vi.advanceTimersByTime(INTERVAL)
    expect([pings, deaths]).toEqual([1, 0])
  })
})

test('pings, then applies the timeout, after the clock is set back', () => {
  vi.setSystemTime(Date.now() - 3_600_000)
  vi.advanceTimersByTime(INTERVAL)
  expect(pings).toBe(1)
  vi.advanceTimersByTime(TIMEOUT)
  expect([pings, deaths]).toEqual([1, 1])
})

describe('probe()', () => {
  test('pings immediately if nothing has arrived for the timeout', () => {
    vi.advanceTimersByTime(TIMEOUT)
    watchdog.probe()
    expect(pings).toBe(1)
    vi.advanceTimersByTime(TIMEOUT)
    expect(deaths).toBe(1)
  })

  test('does not ping if something has just arrived', () => {
    vi.advanceTimersByTime(TIMEOUT - 1)
    watchdog.probe()
    expect(pings).toBe(0)
  })

  test('neither pings nor extends the timeout while an answer is pending', () => {
    vi.advanceTimersByTime(INTERVAL + TIMEOUT - 1)
    watchdog.probe()
    vi.advanceTimersByTime(1)
    expect([pings, deaths]).toEqual([1, 1])
  })
})
