import { encodeFrame, payloadStart } from '../protocol/frames.js'
import { deflateAlone, type DeflaterSettings } from '../protocol/message-deflater.js'
import { Opcode } from '../protocol/opcodes.js'
import { FrameSequence } from './frame-sequence.js'

/** A message for many: encoded once, and compressed once for each kind of window among its receivers, when needed. */
export class PreparedMessage {
  readonly isBinary: boolean
  /** Whether those who negotiated compression get it compressed, if it is long enough. */
  readonly compress: boolean
  /** The octets of the message: a copy, so that the sender may go on with its own. */
  readonly payload: Buffer
  /** The message as it is. */
  readonly plain: FrameSequence

  readonly #deflated: { settings: DeflaterSettings; frame: FrameSequence }[] = []

  constructor(data: string | Buffer, isBinary: boolean, compress: boolean) {
    this.isBinary = isBinary
    this.compress = compress
    const frame = encodeFrame(data, { opcode: isBinary ? Opcode.binary : Opcode.text })
    this.payload = frame.subarray(payloadStart(frame))
    this.plain = new FrameSequence(frame)
  }

  /** The message compressed from an empty window, which every peer with such a window can read; plain when it is short. */
  deflated(settings: DeflaterSettings): FrameSequence {
    if (!this.compress || this.payload.length < settings.threshold) return this.plain
    for (const variant of this.#deflated) if (isSame(variant.settings, settings)) return variant.frame
    const octets = deflateAlone(this.payload, settings)
    const frame = new FrameSequence(
      encodeFrame(octets, { opcode: this.isBinary ? Opcode.binary : Opcode.text, rsv1: true }),
    )
    this.#deflated.push({ settings, frame })
    return frame
  }
}

function isSame(one: DeflaterSettings, other: DeflaterSettings): boolean {
  return (
    one === other ||
    (one.windowBits === other.windowBits && one.level === other.level && one.memLevel === other.memLevel)
  )
}
