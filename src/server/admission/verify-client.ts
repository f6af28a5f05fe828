import type { IncomingMessage } from 'node:http'
import type { Strictness } from '../../options/strictness.js'
import type { AnswerWarnings } from './answers.js'
import { type Refusal, refuse } from './refusal.js'

/** What `verifyClient` is called with, as in `ws`. */
export interface ClientInfo {
  /** The Origin header, or `''`. */
  origin: string
  /** Whether the client used TLS. */
  secure: boolean
  req: IncomingMessage
}

/** How an asynchronous `verifyClient` answers: only `true` accepts the client. */
export type VerifyCallback = (
  verified: boolean,
  status?: number,
  message?: string,
  headers?: Readonly<Record<string, string>>,
) => void

/**
 * The check that `ws` has. With one parameter it returns whether the client may connect, or a promise of that; with two
 * it calls the callback. Any answer but `true` refuses the client.
 */
export type VerifyClient = (info: ClientInfo, callback: VerifyCallback) => unknown

/** What a check needs beside the request. */
interface VerifyContext {
  /** Whether the client used TLS. */
  readonly secure: boolean
  readonly strictness: Strictness
  readonly warnings: AnswerWarnings
}

/** Runs the check. @returns the refusal, or `undefined` if the client may connect */
export async function verify(
  verifyClient: VerifyClient,
  request: IncomingMessage,
  { secure, strictness, warnings }: VerifyContext,
): Promise<Refusal | undefined> {
  const info: ClientInfo = { origin: request.headers.origin ?? '', secure, req: request }
  const isYes = (answer: unknown): boolean => {
    if (strictness.verifyClient === 'truthy') return Boolean(answer)
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
      // `refuse` may throw, at a header that holds what the client sent for example: that must reject the promise, not
      // throw into the application's callback.
      resolve(
        new Promise((settle) => {
          settle(isYes(verified) ? undefined : refuse(status, options))
        }),
      )
    }
    // Awaited in either case: a promise is truthy, which would admit everybody, and it may reject.
    Promise.resolve(verifyClient(info, answer)).then((verified) => {
      if (verifyClient.length < 2) answer(verified)
    }, reject)
  })
}
