import { isUtf8 } from 'node:buffer'
import { MAX_CONTROL_PAYLOAD } from './frames.js'

/** The status codes that this library sends or reports by itself (RFC 6455 section 7.4.1). */
export const CloseCode = {
  goingAway: 1001,
  protocolError: 1002,
  /** Reported when a Close frame has no code; never sent. */
  noStatus: 1005,
  /** Reported when the connection ends without a Close frame; never sent. */
  abnormal: 1006,
  invalidPayload: 1007,
  policyViolation: 1008,
  messageTooBig: 1009,
  internalError: 1011,
} as const

/** The longest reason that fits a Close frame beside its code, in bytes of UTF-8. */
export const MAX_REASON_LENGTH: number = MAX_CONTROL_PAYLOAD - 2

/**
 * Whether a Close frame may have this code: 1000 to 1014 except for 1004, 1005 and 1006, which are reserved (RFC 6455
 * section 7.4.1 and IANA's registry), and 3000 to 4999 for libraries and applications (section 7.4.2).
 */
export function isValidCloseCode(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
    (code >= 3000 && code <= 4999)
  )
}

/**
 * The payload of a Close frame.
 *
 * @param code - a code for which {@link isValidCloseCode} holds; without one the payload is empty
 * @param reason - at most 123 bytes of UTF-8
 * @throws TypeError when the code may not be sent, or a reason comes without a code or is not UTF-8
 * @throws RangeError when the reason is too long
 */
export function encodeClose(code?: number, reason: string | Uint8Array = ''): Buffer {
  if (code === undefined) {
    if (reason.length > 0) throw new TypeError('A close reason needs a code: call close(code, reason)')
    return Buffer.alloc(0)
  }
  if (!Number.isInteger(code) || !isValidCloseCode(code)) {
    throw new TypeError(
      `Close code ${String(code)} may not be sent: use 1000 to 1003, 1007 to 1014, or 3000 to 4999`,
    )
  }
  const bytes = Buffer.from(reason as string)
  if (bytes.length > MAX_REASON_LENGTH) {
    throw new RangeError(
      `A close reason holds at most ${MAX_REASON_LENGTH} bytes; this one has ${bytes.length}`,
    )
  }
  if (!isUtf8(bytes)) throw new TypeError('A close reason is text: its bytes must be UTF-8')
  const payload = Buffer.allocUnsafe(2 + bytes.length)
  payload.writeUInt16BE(code)
  payload.set(bytes, 2)
  return payload
}
