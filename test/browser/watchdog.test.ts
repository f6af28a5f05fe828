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
  test('is asked after the interval, and is dead after the timeout', () => {
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

  test('is asked a whole interval after the last message', () => {
    vi.advanceTimersByTime(INTERVAL - 1)
    expect(watchdog.hear('news')).toBe(false)
    vi.advanceTimersByTime(INTERVAL - 1)
    expect(pings).toBe(0)
    vi.advanceTimersByTime(1)
    expect(pings).toBe(1)
  })

  test('lives when any message comes in time', () => {
    vi.advanceTimersByTime(INTERVAL + TIMEOUT - 1)
    expect(watchdog.hear('news')).toBe(false)
    vi.advanceTimersByTime(INTERVAL - 1)
    expect([pings, deaths]).toEqual([1, 0])
    vi.advanceTimersByTime(1)
    expect(pings).toBe(2)
  })

  test('is left alone after stop()', () => {
    watchdog.stop()
    vi.advanceTimersByTime(INTERVAL + TIMEOUT)
    expect([pings, deaths]).toEqual([0, 0])
  })
})

describe('an answer', () => {
  test('is kept from the page, and tells the latency', () => {
    vi.advanceTimersByTime(INTERVAL + 30)
    expect(watchdog.latency).toBeUndefined()
    expect(watchdog.hear('pong')).toBe(true)
    expect(watchdog.latency).toBe(30)
  })

  test('is found behind other messages', () => {
    vi.advanceTimersByTime(INTERVAL + 30)
    expect(watchdog.hear('news')).toBe(false)
    vi.advanceTimersByTime(20)
    expect(watchdog.hear('pong')).toBe(true)
    expect(watchdog.latency).toBe(50)
  })

  test('to nothing that was asked is for the page', () => {
    expect(watchdog.hear('pong')).toBe(false)
    vi.advanceTimersByTime(INTERVAL)
    expect(watchdog.hear('pong')).toBe(true)
    expect(watchdog.hear('pong')).toBe(false)
  })
})

describe('a timer that comes late', () => {
  test('asks once more before it gives the connection up', () => {
    vi.advanceTimersByTime(INTERVAL)
    sleep(3_600_000)
    vi.advanceTimersByTime(TIMEOUT)
    expect([pings, deaths]).toEqual([2, 0])
    sleep(3_600_000)
    vi.advanceTimersByTime(TIMEOUT)
    expect([pings, deaths]).toEqual([2, 1])
  })

  test('keeps a connection that outlived the sleep, and asks again after the next sleep', () => {
    for (let count = 1; count <= 2; count++) {
      vi.advanceTimersByTime(INTERVAL)
      sleep(3_600_000)
      vi.advanceTimersByTime(TIMEOUT)
      expect([pings, deaths]).toEqual([2 * count, 0])
      expect(watchdog.hear('pong')).toBe(true)
    }
  })

  test('by less than the timeout gives the connection up', () => {
    vi.advanceTimersByTime(INTERVAL)
    sleep(TIMEOUT)
    vi.advanceTimersByTime(TIMEOUT)
    expect([pings, deaths]).toEqual([1, 1])
  })

  test('asks at once where none had been asked', () => {
    sleep(3_600_000)
    vi.advanceTimersByTime(INTERVAL)
    expect([pings, deaths]).toEqual([1, 0])
  })
})

test('a clock that was set back makes it ask, and then judge by the timeout', () => {
  vi.setSystemTime(Date.now() - 3_600_000)
  vi.advanceTimersByTime(INTERVAL)
  expect(pings).toBe(1)
  vi.advanceTimersByTime(TIMEOUT)
  expect([pings, deaths]).toEqual([1, 1])
})

describe('probe()', () => {
  test('asks at once when nothing has come for the timeout', () => {
    vi.advanceTimersByTime(TIMEOUT)
    watchdog.probe()
    expect(pings).toBe(1)
    vi.advanceTimersByTime(TIMEOUT)
    expect(deaths).toBe(1)
  })

  test('asks nothing when something has just come', () => {
    vi.advanceTimersByTime(TIMEOUT - 1)
    watchdog.probe()
    expect(pings).toBe(0)
  })

  test('asks nothing while an answer is awaited, and does not put the end off', () => {
    vi.advanceTimersByTime(INTERVAL + TIMEOUT - 1)
    watchdog.probe()
    vi.advanceTimersByTime(1)
    expect([pings, deaths]).toEqual([1, 1])
  })
})
