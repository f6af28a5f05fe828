/** Why messages were missed. */
export type GapCause =
  /** Sequence numbers were missing: messages were lost on their way. */
  | 'sequence'
  /**
   * A node has forgotten its sequence numbers, after it was disconnected for long, or the broker has lost the history of a
   * group.
   */
  | 'epoch'
  /** This node or the publishing one had lost its connection to the broker. */
  | 'connection'
  /** This process was too slow, and too many messages were queued for delivery. */
  | 'overrun'
  /** The publishing node dropped messages, because too many were not answered by the broker. */
  | 'queue'

/** Messages that members of this process missed: one gap per cause, with all affected groups. */
export interface Gap {
  readonly cause: GapCause
  /** The names of the groups. */
  readonly groups: readonly string[]
  /** The id of the node that published what was missed; `undefined` for several, or when it is not known. */
  readonly node: string | undefined
  /** How many messages were missed; `undefined` when it is not known. */
  readonly missed: number | undefined
}

/** Collects the contents of one event. */
export class GapCollector {
  readonly #groups = new Set<string>()
  #missed: number | undefined = 0

  get isEmpty(): boolean {
    return this.#groups.size === 0
  }

  /** @param missed - `undefined` when it is not known */
  add(group: string, missed: number | undefined): void {
    this.#groups.add(group)
    this.#missed = this.#missed === undefined || missed === undefined ? undefined : this.#missed + missed
  }

  toGap(cause: GapCause, node: string | undefined): Gap {
    return { cause, groups: [...this.#groups], node, missed: this.#missed }
  }
}
