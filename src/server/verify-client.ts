import type { IncomingMessage } from 'node:http'
import { type Refusal, refuse } from './refusal.js'

/** What `verifyClient` is told, as in `ws`. */
export interface ClientInfo {
  /** The Origin header, or `''`. */
  origin: string
  /** Whether the request came over TLS. */
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

/** The check that `ws` has: it returns whether the client may connect, or takes a callback for it. */
export type VerifyClient =
  ((info: ClientInfo) => boolean) | ((info: ClientInfo, callback: VerifyCallback) => void)

/** Runs the check. */
export async function verify(
  verifyClient: VerifyClient,
  request: IncomingMessage,
  secure: boolean,
): Promise<Refusal | undefined> {
  const info: ClientInfo = { origin: request.headers.origin ?? '', secure, req: request }
  if (verifyClient.length < 2) {
    // Awaited, lest an async function lets everybody in: its promise is true.
    return (await (verifyClient as (info: ClientInfo) => boolean | Promise<boolean>)(info))
      ? undefined
      : refuse(401)
  }
  return new Promise((resolve, reject) => {
    verifyClient(info, (verified, status = 401, message, headers = {}) => {
      try {
        resolve(
          verified
            ? undefined
            : refuse(status, message === undefined ? { headers } : { headers, body: message }),
        )
      } catch (error) {
        // A header may hold what the client sent: that is no reason to throw at the caller, who is nobody by now.
        reject(error as Error)
      }
    })
  })
}
