import { onTestFinished, vi } from 'vitest'

/**
 * Watches the timeouts that start in a test, or those of one length: how many were started, and those that have neither
 * fired nor been cleared.
 */
export function watchTimers(milliseconds?: number): { started: number; live: Set<unknown> } {
  const timers = { started: 0, live: new Set<unknown>() }
  const { setTimeout: start, clearTimeout: clear } = globalThis
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(((action: (value: unknown) => void, delay, value) => {
    const timer = start(() => {
      timers.live.delete(timer)
      action(value)
    }, delay)
    if (milliseconds !== undefined && delay !== milliseconds) return timer
    timers.started++
    timers.live.add(timer)
    return timer
  }) as typeof setTimeout)
  vi.spyOn(globalThis, 'clearTimeout').mockImplementation((timer) => {
    timers.live.delete(timer)
    clear(timer)
  })
  onTestFinished(() => {
    vi.restoreAllMocks()
  })
  return timers
}
