import { onTestFinished } from 'vitest'

const EVENTS = ['uncaughtException', 'unhandledRejection'] as const

/** Collects, for the rest of the test, the errors that would end a process. */
export function uncaught(): unknown[] {
  const errors: unknown[] = []
  const collect = (error: unknown): void => {
    errors.push(error)
  }
  for (const event of EVENTS) {
    const before = process.listeners(event as 'uncaughtException')
    process.removeAllListeners(event)
    process.on(event, collect)
    onTestFinished(() => {
      process.off(event, collect)
      for (const listener of before) process.on(event, listener)
    })
  }
  return errors
}
