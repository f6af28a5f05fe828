import type { IncomingMessage } from 'node:http'
import { ignore } from '../../options/ignore.js'
import type { AnswerWarnings } from './answers.js'
import { type Refusal, refusalFor, refuse } from './refusal.js'

/** The argument of `verifyClient`, as in `ws`. */
export interface ClientInfo {
  /** The Origin header, or `''`. */
  origin: string
  /** Whether the client used TLS. */
  secure: boolean
  req: IncomingMessage
}

/** The callback of an asynchronous `verifyClient`. Only `true` accepts the client. */
export type VerifyCallback = (
  verified: boolean,
  status?: number,
  message?: string,
  headers?: Readonly<Record<string, string>>,
) => void

/**
 * The check of `ws`. With one parameter it returns whether the client may connect, or a promise of that; with two
 * it calls the callback. Any result but `true` refuses the client.
 */
export type VerifyClient = (info: ClientInfo, callback: VerifyCallback) => unknown

/**
 * Runs the check as `ws` does: synchronously if possible, any truthy value accepts, and the callback may pass
 * any status.
 */
export function verifyAtOnce(
  verifyClient: VerifyClient,
  request: IncomingMessage,
  secure: boolean,
): Refusal | undefined | Promise<Refusal | undefined> {
  const { headers } = request
  const origin = headers['sec-websocket-version'] === '8' ? headers['sec-websocket-origin'] : headers.origin
  // Without the header `ws` has `undefined` here, against its types.
  const info = { origin: origin as string, secure, req: request }
  if (verifyClient.length !== 2) {
    // A check of one parameter answers with what it returns.
    return verifyClient(info, ignore) ? undefined : refusalFor('application', 401, {})
  }
  let answer: Refusal | 'verified' | undefined
  let settle: ((refusal: Refusal | undefined) => void) | undefined
  verifyClient(info, (verified, status, body, fields) => {
    if (answer !== undefined) return
    const options = { ...(body ? { body } : {}), ...(fields ? { headers: fields } : {}) }
    answer = verified ? 'verified' : refusalFor('application', status || 401, options)
    settle?.(answer === 'verified' ? undefined : answer)
  })
  if (answer !== undefined) return answer === 'verified' ? undefined : answer
  return new Promise((resolve) => {
    settle = resolve
  })
}

/** What a check needs beside the request. */
interface VerifyContext {
  /** Whether the client used TLS. */
  readonly secure: boolean
  /** Whether any truthy value accepts. */
  readonly takesTruthyAnswers: boolean
  readonly warnings: AnswerWarnings
}

/** Runs the check. @returns the refusal, or `undefined` if the client may connect */
export async function verify(
  verifyClient: VerifyClient,
  request: IncomingMessage,
  { secure, takesTruthyAnswers, warnings }: VerifyContext,
): Promise<Refusal | undefined> {
  const info: ClientInfo = { origin: request.headers.origin ?? '', secure, req: request }
  const isYes = (answer: unknown): boolean => {
    if (takesTruthyAnswers) return Boolean(answer)
    if (typeof answer !== 'boolean') {
      warnings.warn('verifyClient', answer, 'Answer true to accept a client, and false to refuse it.')
    }
    return answer === true
  }
  return new Promise((resolve, reject) => {
    const answer = (
      verified: unknown,
      status = 401,
      message?: string,
      headers: Readonly<Record<string, string>> = {},
    ): void => {
      const options = message === undefined ? { headers } : { headers, body: message }
      // `refuse` may throw, for example for a header with a value from the client. That must reject the promise, not
      // throw into the application's callback.
      resolve(
        new Promise((settle) => {
          settle(isYes(verified) ? undefined : refuse(status, options))
        }),
      )
    }
    // Awaited in either case: a promise is truthy, which would accept every client, and it may reject.
    Promise.resolve(verifyClient(info, answer)).then((verified) => {
      if (verifyClient.length < 2) answer(verified)
    }, reject)
  })
}
