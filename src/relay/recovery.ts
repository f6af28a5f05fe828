import { MAX_ENTRIES, type Positions, type Query } from './control.js'
import { type Gap, GapCollector } from './gap.js'
import type { Peer, Peers } from './peers.js'
import { compareTop } from './receiver.js'
import type { Subscription } from './subscriptions.js'

/** What a recovery requires from its node. */
interface RecoveryOptions {
  readonly peers: Peers
  readonly timeout: number
  /** Sends a query to one node, or to all. */
  readonly send: (query: Query, peer: Peer | undefined) => void
  readonly report: (gap: Gap) => void
}

/**
 * Finds out what was missed while this node was disconnected: it asks the other nodes for the last sequence numbers of
 * its groups. One `'gap'` names all groups that moved.
 */
export class Recovery {
  readonly #options: RecoveryOptions
  /** Groups that were subscribed when the connection was lost, since it was last known that nothing is missing. */
  #lost = new Set<Subscription>()
  /** The nodes that existed then. */
  readonly #peersThen = new Set<Peer>()
  #collector = new GapCollector()
  #number = 0
  #parts: Subscription[][] = []
  /** The parts that nodes have not answered. */
  readonly #unanswered = new Map<Peer, Set<number>>()
  #timer: NodeJS.Timeout | undefined
  #isActive = false
  /** The node that is queried, if it is only one. */
  #suspect: Peer | undefined

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  /** The connection was lost, with these groups subscribed. */
  lost(groups: Iterable<Subscription>): void {
    clearTimeout(this.#timer)
    this.#isActive = false
    for (const group of groups) this.#lost.add(group)
    for (const peer of this.#options.peers) if (this.#options.peers.isAlive(peer)) this.#peersThen.add(peer)
  }

  /** Heartbeats of a node were lost: it is asked as after a disconnection. */
  suspect(peer: Peer, groups: Iterable<Subscription>): void {
    if (!this.#isActive) {
      // While disconnected, all nodes will be asked.
      if (this.#lost.size > 0) return
      this.#lost = new Set(groups)
      this.#peersThen.add(peer)
      this.begin(peer)
    } else if (!this.#unanswered.has(peer)) {
      this.#unanswered.set(peer, new Set(this.#parts.keys()))
      this.#ask(peer)
    }
  }

  /** The connection is back. */
  begin(suspect?: Peer): void {
    if (this.#lost.size === 0) return
    this.#number++
    this.#suspect = suspect
    this.#isActive = true
    const groups = [...this.#lost]
    this.#parts = []
    for (let start = 0; start < groups.length; start += MAX_ENTRIES) {
      this.#parts.push(groups.slice(start, start + MAX_ENTRIES))
    }
    this.#unanswered.clear()
    for (const peer of this.#peersThen) this.#unanswered.set(peer, new Set(this.#parts.keys()))
    if (this.#options.timeout !== Infinity) {
      this.#timer = setTimeout(() => this.#finish(), this.#options.timeout)
    }
    for (const peer of this.#peersThen) if (!this.#options.peers.has(peer)) this.#giveUp(peer)
    this.#ask(suspect)
    this.#finishIfAnswered()
  }

  /**
   * Takes note of a gap that was found meanwhile, before the connection counts as back too: messages arrive in front of
   * the probe. Returns `false` when nothing is being recovered for the group.
   */
  moved(group: Subscription, missed: number | undefined): boolean {
    if (!this.#lost.has(group)) return false
    this.#collector.add(group.name, missed)
    return true
  }

  /** A node has come back: it may not have received the query. */
  returned(peer: Peer): void {
    if (this.#isActive && this.#unanswered.has(peer)) this.#ask(peer)
  }

  answered(peer: Peer, { recovery, part, tops }: Positions): void {
    const groups = this.#parts[part]
    if (recovery !== this.#number || groups?.length !== tops.length) return
    const waiting = this.#unanswered.get(peer)
    // Answered already, or too late: then the gap has named all its groups.
    if (waiting !== undefined && (!this.#isActive || !waiting.has(part))) return
    // An unknown node may answer after the recovery.
    const collector = this.#isActive ? this.#collector : new GapCollector()
    for (const [index, group] of groups.entries()) {
      if (group.state !== 'subscribed') continue
      const missed = compareTop(group, peer, tops[index]!)
      if (missed !== 0) collector.add(group.name, missed)
    }
    if (!this.#isActive && !collector.isEmpty) this.#options.report(collector.toGap('connection', peer.id))
    waiting?.delete(part)
    if (waiting?.size === 0) this.#unanswered.delete(peer)
    this.#finishIfAnswered()
  }

  /** A node has left, or has been silent for long: what it published can no longer be found out. */
  forgotten(peer: Peer): void {
    if (!this.#isActive || !this.#unanswered.has(peer)) return
    this.#giveUp(peer)
    this.#finishIfAnswered()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#isActive = false
    this.#lost.clear()
  }

  #ask(peer: Peer | undefined): void {
    const parts = peer === undefined ? this.#parts.keys() : (this.#unanswered.get(peer) ?? [])
    for (const part of parts) {
      const keys = this.#parts[part]!.map(({ key }) => key)
      this.#options.send({ recovery: this.#number, part, keys }, peer)
    }
  }

  /** Whatever a node has not answered for may be missing. */
  #giveUp(peer: Peer): void {
    for (const part of this.#unanswered.get(peer) ?? []) {
      for (const { name, streams } of this.#parts[part]!) {
        this.#collector.add(name, undefined)
        streams?.delete(peer)
      }
    }
    this.#unanswered.delete(peer)
  }

  #finishIfAnswered(): void {
    if (this.#isActive && this.#unanswered.size === 0) this.#finish()
  }

  #finish(): void {
    clearTimeout(this.#timer)
    this.#isActive = false
    for (const peer of this.#unanswered.keys()) this.#giveUp(peer)
    const collector = this.#collector
    this.#collector = new GapCollector()
    this.#lost = new Set()
    this.#peersThen.clear()
    if (collector.isEmpty) return
    const cause = this.#suspect === undefined ? 'connection' : 'sequence'
    this.#options.report(collector.toGap(cause, this.#suspect?.id))
  }
}
