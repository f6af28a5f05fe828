/**
 * Frames that many connections send in the same turn, as a path in a tree in which each step is a frame. All connections
 * that received the same frames in the same order are at the same node, so the frames are joined once for all of
 * them. A connection that missed a frame, or sent another in between, is at another node. (uWebSockets' TopicTree
 * solves the same problem by merging the lists of a subscriber's topics.)
 */
export class FrameSequence {
  /** The bytes of the whole sequence. */
  readonly length: number
  /** The bytes of its messages before compression, without frame headers. */
  readonly payloadLength: number
  readonly #frame: Buffer
  readonly #framePayload: number
  readonly #before: FrameSequence | undefined
  #joined: Buffer | undefined

  /** The last step from here. The members of a group take the same step one after the other, so caching one is enough. */
  #nextStep: FrameSequence | undefined
  #next: FrameSequence | undefined

  /**
   * A sequence of one frame, the first of a path or a step of others.
   *
   * @param payloadLength - the bytes of the frame's message before compression
   */
  constructor(frame: Buffer, payloadLength: number, before?: FrameSequence) {
    this.#frame = frame
    this.#framePayload = payloadLength
    this.#before = before
    this.length = (before === undefined ? 0 : before.length) + frame.length
    this.payloadLength = (before === undefined ? 0 : before.payloadLength) + payloadLength
  }

  /** This sequence followed by the frame of `step`. */
  followedBy(step: FrameSequence): FrameSequence {
    if (this.#nextStep !== step || this.#next === undefined) {
      this.#nextStep = step
      this.#next = new FrameSequence(step.#frame, step.#framePayload, this)
    }
    return this.#next
  }

  /** All bytes in one Buffer, joined once. */
  join(): Buffer {
    if (this.#before === undefined) return this.#frame
    if (this.#joined === undefined) {
      const frames: Buffer[] = []
      for (let node: FrameSequence | undefined = this; node !== undefined; node = node.#before)
        frames.push(node.#frame)
      this.#joined = Buffer.concat(frames.reverse(), this.length)
    }
    return this.#joined
  }
}
