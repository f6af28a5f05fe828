import { encodeFrame, payloadStart } from '../protocol/frames.js'
import { type DeflaterSettings, MessageDeflater } from '../protocol/message-deflater.js'
import { Opcode } from '../protocol/opcodes.js'
import { FrameSequence } from './frame-sequence.js'

/** Called with the compressed frame, or with the reason why there is none. @internal */
type Receiver = (error: Error | null, frame: FrameSequence) => void

/** A message compressed for one kind of window. @internal */
interface Variant {
  readonly settings: DeflaterSettings
  frame: FrameSequence | undefined
  error: Error | null
  /** The receivers that wait for the thread pool. */
  receivers: Receiver[]
}

/** A message for many receivers: encoded once, and compressed once for each kind of window among them, when needed. */
export class PreparedMessage {
  readonly isBinary: boolean
  /** Whether it is compressed, if it is long enough, for receivers that negotiated compression. */
  readonly compress: boolean
  /** The uncompressed message. @internal */
  readonly plain: FrameSequence

  readonly #frame: Buffer
  /** Created on demand, like the list below: a Buffer takes 80 ns, and a plain broadcast needs only that of the frame. */
  #payload: Buffer | undefined
  #variants: Variant[] | undefined

  /** @internal */
  constructor(data: string | Buffer, isBinary: boolean, compress: boolean) {
    this.isBinary = isBinary
    this.compress = compress
    const frame = encodeFrame(data, { opcode: isBinary ? Opcode.binary : Opcode.text })
    this.#frame = frame
    this.plain = new FrameSequence(frame, frame.length - payloadStart(frame))
  }

  /** The bytes of the message: a copy, so that the sender may reuse its own. */
  get payload(): Buffer {
    return (this.#payload ??= this.#frame.subarray(payloadStart(this.#frame)))
  }

  /**
   * The message compressed from an empty window, which every peer with such a window can read; plain when it is short.
   * `undefined` if it is too long to compress on this thread: {@link deflateLater} has it then.
   * @internal
   */
  deflated(deflater: MessageDeflater): FrameSequence | undefined {
    if (!this.compress || this.plain.payloadLength < deflater.settings.threshold) return this.plain
    const variant = this.#variantFor(deflater.settings)
    if (variant.frame === undefined && deflater.isQuick(this.payload)) {
      variant.frame = this.#frameOf(alone(variant.settings).deflateNow(this.payload, true))
    }
    return variant.frame
  }

  /**
   * Compresses the message on the thread pool, once for all receivers. `receiver` is never called synchronously.
   *
   * @internal
   */
  deflateLater(settings: DeflaterSettings, receiver: Receiver): void {
    const variant = this.#variantFor(settings)
    if (variant.frame !== undefined || variant.error !== null) {
      process.nextTick(receiver, variant.error, variant.frame ?? this.plain)
      return
    }
    variant.receivers.push(receiver)
    if (variant.receivers.length > 1) return
    alone(settings).deflateLater(this.payload, true, (error, compressed) => {
      if (error === null) variant.frame = this.#frameOf(compressed)
      else variant.error = error
      const receivers = variant.receivers
      variant.receivers = []
      for (const waiting of receivers) waiting(variant.error, variant.frame ?? this.plain)
    })
  }

  #frameOf(compressed: Buffer): FrameSequence {
    const opcode = this.isBinary ? Opcode.binary : Opcode.text
    return new FrameSequence(encodeFrame(compressed, { opcode, rsv1: true }), this.plain.payloadLength)
  }

  #variantFor(settings: DeflaterSettings): Variant {
    const variants = (this.#variants ??= [])
    for (const variant of variants) if (isSame(variant.settings, settings)) return variant
    const variant: Variant = { settings, frame: undefined, error: null, receivers: [] }
    variants.push(variant)
    return variant
  }
}

/** A deflater whose messages do not refer to earlier ones. */
function alone(settings: DeflaterSettings): MessageDeflater {
  return new MessageDeflater({ ...settings, contextTakeover: false })
}

function isSame(one: DeflaterSettings, other: DeflaterSettings): boolean {
  return (
    one === other ||
    (one.windowBits === other.windowBits && one.level === other.level && one.memLevel === other.memLevel)
  )
}
