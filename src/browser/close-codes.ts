/** Close codes that decide how to go on: RFC 6455 section 7.4.1, IANA's registry, and the 4400s after HTTP's statuses. */
const POLICY_VIOLATION = 1008
const TRY_AGAIN_LATER = 1013
const REQUEST_TIMEOUT = 4408
const TOO_MANY_REQUESTS = 4429

/** The token is missing, wrong or expired: a fresh one may be accepted. */
export const UNAUTHORIZED = 4401
/** No Close frame came. */
export const ABNORMAL = 1006

/** Whether the server will say the same again, so that there is no use in trying. */
export function isFinal(code: number): boolean {
  return (
    code === POLICY_VIOLATION ||
    (code >= 4400 && code <= 4499 && code !== REQUEST_TIMEOUT && code !== TOO_MANY_REQUESTS)
  )
}

/** Whether the server asks to be left alone for longer. */
export function isBusy(code: number): boolean {
  return code === TRY_AGAIN_LATER || code === TOO_MANY_REQUESTS
}

/** Ends that belong to a server's life, such as a restart, and are not worth a line on the console. */
export function isOrdinary(code: number): boolean {
  return [1000, 1001, 1005, 1012].includes(code)
}
