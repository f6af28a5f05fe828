/**
 * Frames that many connections send in the same turn: a path in a tree in which each step is a frame. All connections
 * that were given the same frames in the same order stand at the same node, so that the frames are joined once for
 * all of them; whoever missed one, or got another in between, stands elsewhere, in its own order. (uWebSockets'
 * TopicTree solves the same by merging the lists of a subscriber's topics.)
 */
export class FrameSequence {
  /** The octets of the whole sequence. */
  readonly length: number
  readonly #frame: Buffer
  readonly #before: FrameSequence | undefined
  #joined: Buffer | undefined

  /** The step taken last from here: the members of a group take the same one after the other, so one is enough. */
  #nextStep: FrameSequence | undefined
  #next: FrameSequence | undefined

  /** A sequence of one frame, the first of a path or a step of others. */
  constructor(frame: Buffer, before?: FrameSequence) {
    this.#frame = frame
    this.#before = before
    this.length = (before === undefined ? 0 : before.length) + frame.length
  }

  /** This sequence, and behind it the frame of `step`. */
  then(step: FrameSequence): FrameSequence {
    if (this.#nextStep !== step || this.#next === undefined) {
      this.#nextStep = step
      this.#next = new FrameSequence(step.#frame, this)
    }
    return this.#next
  }

  /** All octets in one Buffer, joined once. */
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
