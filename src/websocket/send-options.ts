import { MAX_CONTROL_PAYLOAD } from '../protocol/frames.js'
import type { MessageOptions } from '../sending/message-writer.js'
import { isBinaryByDefault, toPayload } from '../sending/payload.js'

/** The options of `send()`. */
export interface SendOptions {
  /** Sends bytes as a binary message (the default for all but strings) or, with `false`, as text. */
  binary?: boolean
  /**
   * Compresses the message if compression was negotiated; `true` by default. `false` keeps secrets out of a shared
   * window (BREACH).
   */
  compress?: boolean
  /** Ends the message; `true` by default. With `false`, the next `send()` continues it (RFC 6455 section 5.4). */
  fin?: boolean
}

const TEXT: MessageOptions = { isBinary: false, compress: true, fin: true }
const BINARY: MessageOptions = { isBinary: true, compress: true, fin: true }

/** Completes the options. Without any, no object is created. */
export function messageOptions(data: unknown, options: SendOptions | null | undefined): MessageOptions {
  const isBinary = options?.binary ?? isBinaryByDefault(data)
  if (options === undefined || options === null) return isBinary ? BINARY : TEXT
  return { isBinary, compress: options.compress !== false, fin: options.fin !== false }
}

/** The payload of a Ping or a Pong, whose first argument may be the callback. @throws RangeError when it is too long */
export function controlPayload(data: unknown): Buffer {
  const isEmpty = typeof data === 'function' || data === undefined || data === null
  const payload = Buffer.from((isEmpty ? '' : toPayload(data)) as string)
  if (payload.length <= MAX_CONTROL_PAYLOAD) return payload
  throw new RangeError(
    `A Ping or Pong holds at most ${MAX_CONTROL_PAYLOAD} bytes; this one has ${payload.length}`,
  )
}
