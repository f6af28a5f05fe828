/** Missing heartbeats after which a node is no longer waited for, and counts as missing. */
const SILENT_AFTER = 5
/** Missing heartbeats after which the members of a node are no longer present. */
const ABSENT_AFTER = 20
/** Missing heartbeats after which a node is forgotten. */
const FORGOTTEN_AFTER = 60
/** The most known nodes: envelopes are not signed, so anyone can forge nodes. */
export const MAX_PEERS = 1024

/** What is known about another node. */
export interface Peer {
  readonly id: string
  epoch: number
  /** When something was last received from it. */
  heardAt: number
  /** The heartbeats that were received completely: their numbers, and when. */
  readonly heartbeats: { number: number; at: number }[]
}

/** The other nodes. */
export class Peers {
  readonly #peers = new Map<string, Peer>()
  readonly #interval: number
  readonly #onForgotten: (peer: Peer) => void
  readonly #onAppeared: ((peer: Peer) => void) | undefined
  /** When anything was last received, including from this node itself. */
  #heardAt = performance.now()

  /**
   * @param interval - milliseconds between heartbeats
   * @param onForgotten - told of those that left, were silent for long, or were too many
   * @param onAppeared - told of those that are heard for the first time
   */
  constructor(interval: number, onForgotten: (peer: Peer) => void, onAppeared?: (peer: Peer) => void) {
    this.#interval = interval
    this.#onForgotten = onForgotten
    this.#onAppeared = onAppeared
  }

  get size(): number {
    return this.#peers.size
  }

  [Symbol.iterator](): IterableIterator<Peer> {
    return this.#peers.values()
  }

  /** Whether it has not been forgotten. */
  has(peer: Peer): boolean {
    return this.#peers.get(peer.id) === peer
  }

  /** The node from which a message has just been received. */
  heard(id: string, epoch: number): Peer {
    let peer = this.#peers.get(id)
    if (peer === undefined) {
      if (this.#peers.size >= MAX_PEERS) this.#forgetMostSilent()
      peer = { id, epoch, heardAt: 0, heartbeats: [] }
      this.#peers.set(id, peer)
    }
    const isNew = peer.heardAt === 0
    peer.heardAt = this.heardSelf()
    if (isNew) this.#onAppeared?.(peer)
    return peer
  }

  /** This node has heard itself. Time in which it heard nothing at all counts as one heartbeat of silence of the others. */
  heardSelf(): number {
    const now = performance.now()
    const pause = now - this.#heardAt
    if (pause > SILENT_AFTER * this.#interval) {
      for (const peer of this.#peers.values()) peer.heardAt += pause - this.#interval
    }
    this.#heardAt = now
    return now
  }

  /** Whether it was heard not long before the last that was heard. */
  isAlive({ heardAt }: Peer): boolean {
    return this.#heardAt - heardAt < SILENT_AFTER * this.#interval
  }

  /** Whether it was heard so recently that its members count as present. */
  isPresent({ heardAt }: Peer): boolean {
    return this.#heardAt - heardAt < ABSENT_AFTER * this.#interval
  }

  forget(id: string): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    this.#peers.delete(id)
    this.#onForgotten(peer)
  }

  /** Forgets those that were silent for long. Called now and then. */
  sweep(): void {
    for (const { id, heardAt } of this.#peers.values()) {
      if (this.#heardAt - heardAt > FORGOTTEN_AFTER * this.#interval) this.forget(id)
    }
  }

  #forgetMostSilent(): void {
    let oldest: Peer | undefined
    for (const peer of this.#peers.values()) {
      if (oldest === undefined || peer.heardAt < oldest.heardAt) oldest = peer
    }
    if (oldest !== undefined) this.forget(oldest.id)
  }
}
