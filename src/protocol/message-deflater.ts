import { constants, deflateRaw, deflateRawSync, type ZlibOptions } from 'node:zlib'
import { SlidingWindow } from './sliding-window.js'
import { enqueue } from './zlib-pool.js'

/** How the messages of one direction are compressed. */
export interface DeflaterSettings {
  /** The base-2 logarithm of the window, 9 to 15. */
  readonly windowBits: number
  /** Whether a message may refer to those before it. */
  readonly contextTakeover: boolean
  /** Shorter messages, in bytes, are not compressed. */
  readonly threshold: number
  /** zlib's level, -1 to 9. */
  readonly level: number
  /** zlib's memLevel, 1 to 9; less is used for short messages. */
  readonly memLevel: number
}

export const DEFAULT_THRESHOLD = 1024
/**
 * 1 KiB of JSON becomes 251 bytes in 14 µs, at zlib's default of 6 237 bytes in 17 µs; 64 KiB take 115 µs, at 6 254 µs.
 */
export const DEFAULT_LEVEL = 3
export const DEFAULT_MEM_LEVEL = 8

/**
 * Longer payloads go to the thread pool. That costs this thread 50 µs a message whatever its length, as much as
 * compressing some 6 KiB of JSON here (4 KiB: 39 µs, 16 KiB: 170 µs, 64 KiB: 590 µs).
 */
const SYNC_UP_TO = 8 * 1024

/** A flush ends with an empty stored block, whose last four bytes are not sent (RFC 7692 section 7.2.1). */
const TAIL_LENGTH = 4

/** The sending half of permessage-deflate for one connection. */
export class MessageDeflater {
  readonly settings: DeflaterSettings
  readonly #window: SlidingWindow | undefined

  constructor(settings: DeflaterSettings) {
    this.settings = settings
    if (settings.contextTakeover) this.#window = new SlidingWindow(settings.windowBits)
  }

  /** Whether a payload is short enough for {@link deflateNow}; the others are for {@link deflateLater}. */
  isQuick(payload: Buffer): boolean {
    return payload.length <= SYNC_UP_TO
  }

  /**
   * Compresses a payload synchronously.
   *
   * @param fin - whether the message ends with this payload; if not, the result keeps its tail
   */
  deflateNow(payload: Buffer, fin: boolean): Buffer {
    return trimmed(deflateRawSync(payload, this.#take(payload)), fin)
  }

  /** Compresses a payload on the thread pool; until the callback is called, no other payload may be compressed. */
  deflateLater(
    payload: Buffer,
    fin: boolean,
    callback: (error: Error | null, compressed: Buffer) => void,
  ): void {
    const options = this.#take(payload)
    enqueue((done) => {
      deflateRaw(payload, options, (error, result) => {
        done()
        callback(error, error === null ? trimmed(result, fin) : result)
      })
    })
  }

  #take(payload: Buffer): ZlibOptions {
    const options = deflateRawOptions(this.settings, payload.length, this.#window?.dictionary)
    this.#window?.append(payload)
    return options
  }

  /** Must be called when a message is sent that was compressed elsewhere: later ones must not refer beyond it. */
  forget(): void {
    this.#window?.clear()
  }
}

function trimmed(flushed: Buffer, fin: boolean): Buffer {
  return fin ? flushed.subarray(0, flushed.length - TAIL_LENGTH) : flushed
}

/**
 * A short message gets a window and tables of its size: no distance can be longer than the message, and setting up all
 * 256 KiB costs more than compressing 1 KiB (19 µs a message instead of 14). With literals of one shape, without a
 * spread, zlib's constructor takes 4 µs less.
 */
function deflateRawOptions(
  settings: DeflaterSettings,
  length: number,
  dictionary: Buffer | undefined,
): ZlibOptions {
  const windowBits = Math.min(settings.windowBits, bitsFor(length + (dictionary?.length ?? 0)))
  const memLevel = Math.min(settings.memLevel, Math.max(1, windowBits - 6))
  const chunkSize = Math.max(256, Math.min(length + 64, 64 * 1024))
  const { level } = settings
  const finishFlush = constants.Z_SYNC_FLUSH
  return dictionary === undefined
    ? { windowBits, memLevel, level, finishFlush, chunkSize }
    : { windowBits, memLevel, level, finishFlush, chunkSize, dictionary }
}

/** zlib looks back over its window except for 262 bytes; raw deflate has no window smaller than 9 bits. */
function bitsFor(length: number): number {
  return Math.max(9, 32 - Math.clz32(length + 261))
}
