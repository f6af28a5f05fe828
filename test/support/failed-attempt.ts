import { WebSocket } from 'hubwire'
import { expect } from 'vitest'
import { settled } from './event-loop.js'

/** Expects an attempt to connect to fail with one `'error'` and one `'close'` with 1006, and the same cause in both. */
export async function failedAttempt(
  socket: WebSocket,
  initiator: 'local' | 'remote' = 'local',
): Promise<Error & { code?: string; status?: number }> {
  const events: unknown[][] = []
  const note =
    (name: string) =>
    (...values: unknown[]): void => {
      events.push([name, ...values])
    }
  socket.on('open', note('open')).on('error', note('error'))
  await new Promise<void>((resolve) => {
    socket.on('close', (...values) => {
      note('close')(...values)
      resolve()
    })
  })
  await settled()
  const cause = events[0]?.[1] as Error
  expect(cause).toBeInstanceOf(Error)
  expect(events).toEqual([
    ['error', cause],
    ['close', 1006, '', { wasClean: false, initiator, cause, dropped: 0 }],
  ])
  expect(socket.readyState).toBe(WebSocket.CLOSED)
  return cause
}
