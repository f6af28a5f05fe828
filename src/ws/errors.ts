import { constants } from 'node:zlib'
import { ConnectError } from '../client/connect-error.js'
import { ProtocolError } from '../protocol/errors.js'

/** Violations by the peer that `ws` reports as a plain `Error`. */
const PLAIN = new Set<string>(['WS_ERR_INVALID_UTF8'])

const { Z_DATA_ERROR } = constants

/**
 * Converts a violation by the peer to the class of error that `ws` uses, with the same code and our message, and a redirect
 * to an invalid URL to the error of the URL.
 */
export function toErrorEvent(cause: Error): Error {
  if (cause instanceof ConnectError && cause.cause instanceof SyntaxError) return cause.cause
  if (!(cause instanceof ProtocolError)) return cause
  // In `ws` it is an error of zlib.
  const isOfZlib = cause.code === 'WS_ERR_INVALID_DEFLATE_DATA'
  if (isOfZlib)
    return Object.assign(new Error(cause.message, { cause }), { code: 'Z_DATA_ERROR', errno: Z_DATA_ERROR })
  const ErrorClass = PLAIN.has(cause.code) ? Error : RangeError
  return Object.assign(new ErrorClass(cause.message, { cause }), { code: cause.code })
}
