import { inflateRaw, inflateRawSync, type InflateRaw, type ZlibOptions } from 'node:zlib'
import type { ProtocolError } from './errors.js'
import { SlidingWindow } from './sliding-window.js'
import { deflateError, tooBigError } from './violations.js'
import { enqueue } from './zlib-pool.js'

/** How the messages of one direction were compressed. */
export interface InflaterSettings {
  /** The base-2 logarithm of the peer's window, 8 to 15. */
  readonly windowBits: number
  /** Whether a message may refer to those before it. */
  readonly contextTakeover: boolean
}

/** Gets the message, or why there is none, and of how many deflate streams it was read. */
type Callback = (result: Buffer | ProtocolError, streams: number) => void

/** The result of zlib's one-shot functions with `info: true`, which `@types/node` lacks. */
interface Inflated {
  buffer: Buffer
  engine: InflateRaw
}

/**
 * More compressed bytes go to the thread pool. That costs this thread 30 µs a message whatever its length, as much as
 * inflating some 4 KiB here (1.3 KiB: 14 µs, 4.8 KiB: 34 µs, 18 KiB: 138 µs).
 */
const SYNC_INPUT = 4 * 1024

/**
 * Messages that inflate to more bytes go to the thread pool as well: 1 KiB can become 1 MiB, which takes 240 µs. Finding
 * this out here takes 16 µs (with a limit of 64 KiB 25 µs, of 128 KiB 35 µs). 4 KiB of compressed JSON are about 20 KiB.
 */
const SYNC_OUTPUT = 32 * 1024

/**
 * A block may be marked as the last although more follow (RFC 7692 section 7.2.3.4). Each one starts zlib again, so a
 * message of thousands would be an attack.
 */
const MOST_STREAMS = 16

/** The bytes that a sender leaves out at the end of a message (RFC 7692 section 7.2.1). */
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff])

/** An empty block marked as the last: if a message is cut short, zlib fails before it reaches this. */
const LAST_BLOCK = Buffer.from([0x01, 0x00, 0x00, 0xff, 0xff])

/** The receiving half of permessage-deflate for one connection (RFC 7692 section 7.2.2). */
export class MessageInflater {
  readonly #window: SlidingWindow | undefined

  constructor(settings: InflaterSettings) {
    if (settings.contextTakeover) this.#window = new SlidingWindow(settings.windowBits)
  }

  /**
   * Decompresses a message, and stops at `limit` bytes: a bomb costs the limit and one chunk, not its full size.
   * The callback is called at once for a short message and from the thread pool for a long one; until then, no other
   * message may be decompressed.
   */
  inflate(compressed: Buffer, limit: number, callback: Callback): void {
    const parts: Buffer[] = []
    let syncRoom = compressed.length <= SYNC_INPUT ? SYNC_OUTPUT : 0
    const inflateStream = (input: Buffer, room: number): void => {
      const options = (most: number): ZlibOptions =>
        inflateRawOptions(input.length, most, this.#window?.dictionary)
      const take = (result: Inflated | Error): void => {
        if (result instanceof Error) return callback(toProtocolError(result, limit), parts.length)
        if (result.buffer.length > room) return callback(tooBigError(limit), parts.length)
        this.#window?.append(result.buffer)
        parts.push(result.buffer)
        const rest = input.subarray(result.engine.bytesWritten)
        if (rest.length <= TAIL.length + LAST_BLOCK.length)
          return callback(parts.length === 1 ? result.buffer : Buffer.concat(parts), parts.length)
        if (parts.length === MOST_STREAMS)
          return callback(
            deflateError(`The message has more than ${MOST_STREAMS} deflate streams`),
            MOST_STREAMS,
          )
        syncRoom -= result.buffer.length
        inflateStream(rest, room - result.buffer.length)
      }
      if (syncRoom > 0) {
        const result = inflateNow(input, options(Math.min(room, syncRoom)))
        if (room <= syncRoom || !isTooBig(result)) return take(result)
        syncRoom = 0
      }
      inflateLater(input, options(room), take)
    }
    inflateStream(completed(compressed), limit)
  }
}

/**
 * Completes a message to a whole deflate stream. Senders that flush twice (for an empty message, or an empty
 * last fragment) have no tail to leave out: they send no byte, or the tail of the fragment before.
 */
function completed(message: Buffer): Buffer {
  const hasTail = message.length === 0 || message.subarray(-TAIL.length).equals(TAIL)
  return Buffer.concat(hasTail ? [message, LAST_BLOCK] : [message, TAIL, LAST_BLOCK])
}

function inflateNow(input: Buffer, options: ZlibOptions): Inflated | Error {
  try {
    return inflateRawSync(input, options) as unknown as Inflated
  } catch (error) {
    return error as Error
  }
}

function inflateLater(
  input: Buffer,
  options: ZlibOptions,
  callback: (result: Inflated | Error) => void,
): void {
  enqueue((done) => {
    inflateRaw(input, options, (error, result) => {
      done()
      callback(error ?? (result as unknown as Inflated))
    })
  })
}

/** With literals of one shape, without a spread, zlib's constructor takes 7 µs instead of 11. */
function inflateRawOptions(length: number, room: number, dictionary: Buffer | undefined): ZlibOptions {
  const info = true
  // zlib refuses 0, the rest when a message has reached the limit and another stream follows.
  const maxOutputLength = Math.max(1, room)
  const chunkSize = Math.min(Math.max(2048, length * 6), 64 * 1024)
  return dictionary === undefined
    ? { info, maxOutputLength, chunkSize }
    : { info, maxOutputLength, chunkSize, dictionary }
}

function toProtocolError(error: Error, limit: number): ProtocolError {
  return isTooBig(error)
    ? tooBigError(limit)
    : deflateError(`The message cannot be inflated: ${error.message}`)
}

function isTooBig(result: Inflated | Error): boolean {
  return 'code' in result && result.code === 'ERR_BUFFER_TOO_LARGE'
}
