import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { ignore } from '../../options/ignore.js'
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
  check: (signal: AbortSignal) => Promise<Result | Refusal>,
  socket: Duplex,
  timeout: number,
): Promise<Result | Refusal | typeof GONE> {
  const watch = new ClientWatch(socket, timeout)
  const result = check(watch.signal)
  try {
    return await Promise.race([result, watch.start()])
  } catch (error) {
    if (error instanceof Refusal) return error
    // Most likely because its signal was aborted.
    if (watch.hasEnded) return GONE
    throw error
  } finally {
    await watch.stop()
  }
}

/**
 * Watches a client and the time while a check is pending. It begins in the next phase of the event loop, because most
 * checks that only verify a token are over by then (44 µs a handshake instead of 60 on Node.js 24).
 */
class ClientWatch {
  hasEnded = false

  readonly #socket: Duplex
  readonly #timeout: number
  readonly #controller = new AbortController()
  #begin: NodeJS.Immediate | undefined
  #resolve: (outcome: Refusal | typeof GONE) => void = ignore
  #isWatching = false
  #timer: NodeJS.Timeout | undefined

  constructor(socket: Duplex, timeout: number) {
    this.#socket = socket
    this.#timeout = timeout
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Resolves when the check is no longer to be waited for. */
  start(): Promise<Refusal | typeof GONE> {
    this.#begin = setImmediate(this.#watch)
    return new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  async stop(): Promise<void> {
    clearImmediate(this.#begin)
    if (!this.#isWatching) return
    clearTimeout(this.#timer)
    this.#socket.off('close', this.#leave).off('end', this.#end).off('readable', this.#look)
    // Only in the next tick has the stream left the mode that a 'readable' listener puts it into.
    await new Promise<void>((resolve) => {
      process.nextTick(resolve)
    })
  }

  readonly #watch = (): void => {
    if (this.#socket.destroyed) {
      this.#leave()
      return
    }
    this.#isWatching = true
    const isLimited = this.#timeout > 0 && this.#timeout !== Infinity
    if (isLimited) this.#timer = setTimeout(this.#giveUp, this.#timeout)
    this.#socket.once('close', this.#leave).once('end', this.#end).on('readable', this.#look)
    // The end may have come with the request, as TLS's close_notify does in one read.
    if (this.#socket.readableEnded) this.#end()
  }

  readonly #leave = (): void => {
    this.#settle(GONE)
  }

  readonly #end = (): void => {
    this.hasEnded = true
    this.#controller.abort()
  }

  /** A FIN is noticed only by reading up to it. `read` on an empty buffer takes no frames out of it. */
  readonly #look = (): void => {
    if (this.#socket.readableLength === 0) this.#socket.read()
  }

  readonly #giveUp = (): void => {
    this.#settle(refusalFor('handshakeTimeout', 503, { body: 'The handshake took too long\n' }))
  }

  #settle(outcome: Refusal | typeof GONE): void {
    this.#controller.abort()
    this.#resolve(outcome)
  }
}
