import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { anonymous, type Anonymous } from './anonymous.js'
import type { AnswerWarnings } from './answers.js'
import { Refusal, refusalFor } from './refusal.js'

/** Types that are not a user, although TypeScript infers them from some functions. */
type NoUser = false | null | PromiseLike<unknown> | Anonymous<unknown> | Refusal

/** The users among the results of `authenticate`. */
export type SocketUser<User> = Exclude<User, PromiseLike<unknown> | Anonymous<unknown> | Refusal>

/**
 * The result of `authenticate`: the user, {@link anonymous}, or a refusal. `false`, `null` and `undefined` are not users:
 * a session that was not found must not open a connection.
 */
// `Exclude` also in `Anonymous`, though it excludes nothing: TypeScript infers `User` from both places only if they have the
// same priority.
export type AuthenticateAnswer<User> =
  Exclude<Exclude<User, void>, NoUser> | Anonymous<Exclude<User, never>> | Refusal

/** Identifies a client, or refuses it. */
export type Authenticate<User> = (
  request: IncomingMessage,
  context: {
    /**
     * Aborted when the client has disconnected or has ended its side of the TCP connection (FIN), and after
     * `handshakeTimeout`. A client that has only ended its side is still served if the check accepts it, because it can
     * still read.
     */
    signal: AbortSignal
  },
) => AuthenticateAnswer<User> | Promise<AuthenticateAnswer<User>>

/** The user that `authenticate` returned, or the refusal. */
export function readUser(answer: unknown, warnings: AnswerWarnings): { user: unknown } | Refusal {
  if (answer instanceof Refusal) return answer
  if (answer === anonymous) return { user: undefined }
  if (answer !== false && answer !== null && answer !== undefined) return { user: answer }
  warnings.warn(
    'authenticate',
    answer,
    "Return the user to accept a client, anonymous (import { anonymous } from 'hubwire') to accept it without a user, " +
      'or refuse(401) to refuse it.',
  )
  return refusalFor('application', 401, {})
}

/** The client disconnected during the check, so there is no response. */
export const GONE: unique symbol = Symbol('gone')

/**
 * Runs an asynchronous check, during which the client may disconnect. Its FIN aborts the check's signal, but does not
 * decide: most clients that send it have disconnected, and one that has not gets the same response as after a
 * synchronous check, which is over before a FIN can be noticed.
 *
 * @param timeout - milliseconds; 0 or `Infinity` for no limit
 * @returns the check's result, or its refusal; 503 after the timeout; `GONE` if the client disconnected, or if the
 *   check failed after its FIN
 * @throws what the check threw, unless it is a refusal
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
  let hasEnded = false
  const end = (): void => {
    hasEnded = true
    controller.abort()
  }
  const giveUp = (): void => {
    settle(refusalFor('handshakeTimeout', 503, { body: 'The handshake took too long\n' }))
  }
  const isLimited = timeout > 0 && timeout !== Infinity
  const timer = isLimited ? setTimeout(giveUp, timeout) : undefined
  // A FIN is noticed only by reading up to it. `read` on an empty buffer takes no frames out of it.
  const look = (): void => {
    if (socket.readableLength === 0) socket.read()
  }
  socket.once('close', leave).once('end', end).on('readable', look)
  try {
    return await Promise.race([attempt(check, controller.signal), interruption])
  } catch (error) {
    // Most likely because its signal was aborted.
    if (hasEnded) return GONE
    throw error
  } finally {
    clearTimeout(timer)
    socket.off('close', leave).off('end', end).off('readable', look)
    // Only in the next tick has the stream left the mode that a 'readable' listener puts it into.
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
