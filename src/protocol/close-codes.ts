import { isUtf8 } from 'node:buffer'

/** The status codes that this library itself sends or reports (RFC 6455 section 7.4.1). */
export const CloseCode = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  /** Reported when a Close frame had no code; never on the wire. */
  noStatus: 1005,
  /** Reported when the connection ended without a Close frame; never on the wire. */
  abnormal: 1006,
  invalidPayload: 1007,
  policyViolation: 1008,
  messageTooBig: 1009,
  internalError: 1011,
  tryAgainLater: 1013,
} as const

/** The longest reason that fits a Close frame beside its code, in octets of UTF-8. */
export const MAX_REASON_LENGTH = 123

/**
 * Whether a code may stand in a Close frame: 1000 to 1014 but for the reserved 1004 and the never-sent 1005 and 1006
 * (RFC 6455 section 7.4.1 and IANA's registry), and 3000 to 4999 for libraries and applications (section 7.4.2).
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
 * @param reason - at most 123 octets of UTF-8
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
  const octets = Buffer.from(reason as string)
  if (octets.length > MAX_REASON_LENGTH) {
    throw new RangeError(
      `A close reason holds at most ${MAX_REASON_LENGTH} octets; this one has ${octets.length}`,
    )
  }
  if (!isUtf8(octets)) throw new TypeError('A close reason is text: its octets must be UTF-8')
  const payload = Buffer.allocUnsafe(2 + octets.length)
  payload.writeUInt16BE(code)
  payload.set(octets, 2)
  return payload
}
