import { randomFillSync } from 'node:crypto'
import { headerLength, writeHeader } from '../protocol/frames.js'
import { mask as maskInPlace } from '../protocol/masking.js'
import { FIN, RSV1 } from '../protocol/opcodes.js'
import { FrameSequence } from '../sending/frame-sequence.js'
import type { WriteCallback } from '../sending/send-callback.js'

/** Options of {@link Sender.frame}. */
interface FrameOptions {
  fin?: boolean
  rsv1?: boolean
  opcode: number
  /** Masks the payload, as a client must. */
  mask?: boolean
  /** Whether the payload must not be changed. Then a copy is masked. */
  readOnly?: boolean
  maskBuffer?: Buffer
  generateMask?: (mask: Buffer) => void
}

/** Accepts complete frames. */
interface FrameTarget {
  sendFrames(frames: FrameSequence, callback?: WriteCallback): void
}

/**
 * The joined frames of each list that was sent. Socket.IO sends one list to many sockets: it is joined once, and all of
 * them write the same bytes.
 */
const sequences = new WeakMap<readonly Buffer[], FrameSequence>()

/** The export `Sender` of `ws`: it creates frames, and sends complete ones. */
export class Sender {
  readonly #target: () => FrameTarget | undefined

  /** @param target - the open connection, if it is open */
  constructor(target: () => FrameTarget | undefined) {
    this.#target = target
  }

  /**
   * Creates a frame.
   *
   * @returns the parts of the frame in order: the header, and the payload if it consists of bytes
   */
  static frame(data: Buffer | string, options: FrameOptions): Buffer[] {
    const isMasked = options.mask === true
    const isText = typeof data === 'string'
    let payload = isText ? Buffer.from(data) : data
    const length = payload.length
    const header = Buffer.allocUnsafe(headerLength(length) + (isMasked ? 4 : 0))
    const first = options.opcode | (options.fin === true ? FIN : 0) | (options.rsv1 === true ? RSV1 : 0)
    const offset = writeHeader(header, 0, first, length, isMasked)
    if (isMasked) {
      const key = options.maskBuffer ?? Buffer.allocUnsafe(4)
      if (options.generateMask !== undefined) options.generateMask(key)
      else randomFillSync(key, 0, 4)
      header.set(key, offset)
      if (options.readOnly === true && !isText) payload = Buffer.from(payload)
      maskInPlace(payload, 0, length, key.readInt32LE(0))
    }
    return [header, payload]
  }

  /** Sends the parts of frames, after everything that was sent before. */
  sendFrame(list: readonly Buffer[], callback?: WriteCallback): void {
    const target = this.#target()
    if (target === undefined) {
      if (callback !== undefined) process.nextTick(callback, new Error('WebSocket is not open'))
      return
    }
    let frames = sequences.get(list)
    if (frames === undefined) {
      const bytes = list.length === 1 ? list[0]! : Buffer.concat(list)
      frames = new FrameSequence(bytes, list.at(-1)?.length ?? 0)
      sequences.set(list, frames)
    }
    target.sendFrames(frames, callback)
  }
}
