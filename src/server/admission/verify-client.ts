import type { IncomingMessage } from 'node:http'
import { type Refusal, refuse } from './refusal.js'

/** What `verifyClient` is called with, as in `ws`. */
export interface ClientInfo {
  /** The Origin header, or `''`. */
  origin: string
  /** Whether the client used TLS. */
  secure: boolean
  req: IncomingMessage
}

/** How an asynchronous `verifyClient` answers. */
export type VerifyCallback = (
  verified: boolean,
  status?: number,
  message?: string,
  headers?: Readonly<Record<string, string>>,
) => void

/**
 * The check that `ws` has. With one parameter it returns whether the client may connect, or a promise of that; with two
 * it calls the callback.
 */
export type VerifyClient = (info: ClientInfo, callback: VerifyCallback) => unknown

/** Runs the check. */
export async function verify(
  verifyClient: VerifyClient,
  request: IncomingMessage,
  secure: boolean,
): Promise<Refusal | undefined> {
  const info: ClientInfo = { origin: request.headers.origin ?? '', secure, req: request }
  return new Promise((resolve, reject) => {
    const answer: VerifyCallback = (verified, status = 401, message, headers = {}) => {
      const options = message === undefined ? { headers } : { headers, body: message }
      // `refuse` may throw, at a header that holds what the client sent for example: that must reject the promise, not
      // throw into the application's callback.
      resolve(
        new Promise((settle) => {
          settle(verified ? undefined : refuse(status, options))
        }),
      )
    }
    // Awaited in either case: a promise is truthy, which would admit everybody, and it may reject.
    Promise.resolve(verifyClient(info, answer)).then((verified) => {
      if (verifyClient.length < 2) answer(Boolean(verified))
    }, reject)
  })
}
