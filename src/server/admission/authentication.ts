import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { Refusal, refusalFor } from './refusal.js'

/** Tells who is connecting, or refuses. */
export type Authenticate<User> = (
  request: IncomingMessage,
  context: {
    /** Aborted when the client has gone, or `handshakeTimeout` is over. */
    signal: AbortSignal
  },
) => User | Refusal | Promise<User | Refusal>

/** The client left while it was being looked at. */
export const GONE: unique symbol = Symbol('gone')

/**
 * Runs a check that may take its time, while the client may leave, reset or wait: none of these is more than an
 * outcome.
 *
 * @returns what the check returned, or its refusal; 503 after `timeout` milliseconds; `GONE` when the client left
 * @throws what the check threw, if that is no refusal
 */
export async function runCheck<Result>(
  check: (signal: AbortSignal) => Result | Refusal | Promise<Result | Refusal>,
  socket: Duplex,
  timeout: number,
): Promise<Result | Refusal | typeof GONE> {
  const controller = new AbortController()
  let settle: (outcome: Refusal | typeof GONE) => void = () => undefined
  const interruption = new Promise<Refusal | typeof GONE>((resolve) => {
    settle = (outcome) => {
      controller.abort()
      resolve(outcome)
    }
  })
  const leave = (): void => {
    settle(GONE)
  }
  const timer = setTimeout(() => {
    settle(refusalFor('handshakeTimeout', 503, { body: 'The handshake took too long\n' }))
  }, timeout)
  // A FIN is seen by who reads up to it, which nobody does yet: frames stay where they are.
  const look = (): void => {
    if (socket.readableLength === 0) socket.read()
  }
  socket.once('close', leave).once('end', leave).on('readable', look)
  try {
    return await Promise.race([attempt(check, controller.signal), interruption])
  } finally {
    clearTimeout(timer)
    socket.off('close', leave).off('end', leave).off('readable', look)
    // In the next tick the stream is again what it was before somebody looked: one that may be listened to or paused.
    await new Promise<void>((resolve) => {
      process.nextTick(resolve)
    })
  }
}

async function attempt<Result>(
  check: (signal: AbortSignal) => Result | Refusal | Promise<Result | Refusal>,
  signal: AbortSignal,
): Promise<Result | Refusal> {
  try {
    return await check(signal)
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
}
