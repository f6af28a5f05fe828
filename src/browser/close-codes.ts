/**
 * Close codes that decide whether to reconnect: RFC 6455 section 7.4.1, IANA's registry, and 4400 and up after HTTP's
 * statuses.
 */
const POLICY_VIOLATION = 1008
const TRY_AGAIN_LATER = 1013
const REQUEST_TIMEOUT = 4408
const TOO_MANY_REQUESTS = 4429

/** The token is missing, wrong or expired: a fresh one may be accepted. */
export const UNAUTHORIZED = 4401
/** No Close frame was received. */
export const ABNORMAL = 1006

/** Whether the server would refuse another attempt for the same reason. */
export function isFinal(code: number): boolean {
  return (
    code === POLICY_VIOLATION ||
    (code >= 4400 && code <= 4499 && code !== REQUEST_TIMEOUT && code !== TOO_MANY_REQUESTS)
  )
}

/** Whether the server asks for a longer delay. */
export function isBusy(code: number): boolean {
  return code === TRY_AGAIN_LATER || code === TOO_MANY_REQUESTS
}

/** Closes in normal operation, such as a restart of the server, which are not logged. */
export function isOrdinary(code: number): boolean {
  return [1000, 1001, 1005, 1012].includes(code)
}
