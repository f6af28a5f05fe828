import { describe, expect, onTestFinished, test } from 'vitest'
import { closedError, closingError } from '#src/sending/connection-error.js'

describe('the errors of a connection that has ended', () => {
  test('have no stack, and leave those of other errors as they are', () => {
    for (const error of [closedError(), closingError()]) expect(error.stack?.split('\n').length).toBe(1)
    expect(new Error('another').stack).toContain('connection-error.test.ts')
  })

  test('are created if the number of frames in stacks is read-only, as with frozen intrinsics', () => {
    const before = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit')!
    onTestFinished(() => {
      Object.defineProperty(Error, 'stackTraceLimit', before)
    })
    Object.defineProperty(Error, 'stackTraceLimit', { ...before, writable: false })
    expect(closedError()).toMatchObject({ name: 'ConnectionError', code: 'WS_ERR_CLOSED' })
  })
})
