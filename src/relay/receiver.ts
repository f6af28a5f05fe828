import type { HeartbeatPart } from './control.js'
import type { HeartbeatEntry } from './counters.js'
import { type Batch, Flag } from './envelope.js'
import { type Gap, type GapCause, GapCollector } from './gap.js'
import type { Peer } from './peers.js'
import type { Stream, Subscription, Subscriptions } from './subscriptions.js'

/** Heartbeats whose arrival is remembered for each node. */
const REMEMBERED = 4

/** What a receiver requires from its node. */
interface ReceiverOptions {
  readonly subscriptions: Subscriptions
  readonly report: (gap: Gap) => void
  /** Records a gap during a recovery. Returns `false` if there is none. */
  readonly recover: (subscription: Subscription, missed: number | undefined) => boolean
  /** Heartbeats of a node were lost, and with them their contents. */
  readonly suspect: (peer: Peer) => void
}

/**
 * Tracks the sequence numbers of each node in each group, detects missing messages, and ignores duplicates.
 *
 * A node that subscribes in the middle of a series cannot tell from a message what it should have received before. The
 * next heartbeats can: each states for a group the range of numbers since the one before, and a node that
 * received that one, and was subscribed at that time, must have received all in between.
 */
export class Receiver {
  readonly #options: ReceiverOptions
  #clock = 0

  constructor(options: ReceiverOptions) {
    this.#options = options
  }

  /** Counts the heartbeats that arrived: the order of events, without a clock. */
  get now(): number {
    return this.#clock
  }

  /** Takes the numbers of a batch. Returns how many of its messages, from the first on, have been seen before. */
  batch(subscription: Subscription, peer: Peer, { first, count, flags }: Batch, isCut: boolean): number {
    subscription.streams ??= new Map()
    let stream = subscription.streams.get(peer)
    const isStart = (flags & Flag.start) !== 0
    if (stream === undefined) {
      stream = { seen: first - 1, from: first }
      subscription.streams.set(peer, stream)
      // While recovering, it is not known whether it had begun before.
      if (!isStart) this.#options.recover(subscription, undefined)
    } else if (isStart && stream.seen > 0) {
      // The end of the series before was not received.
      this.#missed(subscription, peer, undefined, 'sequence')
      stream.seen = 0
      stream.from = 1
    }
    const missing = first - stream.seen - 1
    if (missing > 0) this.#missed(subscription, peer, missing, causeOf(flags))
    const seen = Math.min(count, Math.max(0, -missing))
    stream.seen = Math.max(stream.seen, first + count - 1)
    if (isCut && seen < count) this.#missed(subscription, peer, count - seen, 'overrun')
    return seen
  }

  /** Compares what a node has published with what has been received. */
  heartbeat(peer: Peer, part: HeartbeatPart): void {
    const last = peer.heartbeats.at(-1)
    // One that comes from a connection which the node has lost since.
    if (last !== undefined && part.number < last.number) return
    if (last !== undefined && part.previous > last.number) this.#options.suspect(peer)
    const previous = peer.heartbeats.find(({ number }) => number === part.previous)
    const gaps = new Map<GapCause, GapCollector>()
    for (const entry of part.entries) {
      if ((entry.flags & Flag.presence) !== 0) continue
      const subscription = this.#options.subscriptions.find(entry.key)
      if (subscription?.state !== 'subscribed') continue
      const isProven = previous !== undefined && previous.at > subscription.since
      const isKnown = isProven || subscription.streams?.has(peer) === true
      const missed = compare(subscription, peer, entry, isProven)
      // While recovering, it is not known whether the series had begun before.
      if (!isKnown) this.#options.recover(subscription, undefined)
      if (missed === 0 || this.#options.recover(subscription, missed)) continue
      const cause = causeOf(entry.flags)
      const collector = gaps.get(cause) ?? new GapCollector()
      gaps.set(cause, collector)
      collector.add(subscription.name, missed)
    }
    for (const [cause, collector] of gaps) this.#options.report(collector.toGap(cause, peer.id))
    if (part.remaining > 0) return
    peer.heartbeats.push({ number: part.number, at: ++this.#clock })
    if (peer.heartbeats.length > REMEMBERED) peer.heartbeats.shift()
  }

  /** Starts again with a node that has begun a new epoch. */
  epoch(peer: Peer, epoch: number): void {
    if (peer.epoch === epoch) return
    peer.epoch = epoch
    peer.heartbeats.length = 0
    const collector = new GapCollector()
    for (const subscription of this.#options.subscriptions) {
      subscription.streams?.delete(peer)
      if (subscription.state === 'subscribed') collector.add(subscription.name, undefined)
    }
    if (!collector.isEmpty) this.#options.report(collector.toGap('epoch', peer.id))
  }

  #missed(subscription: Subscription, peer: Peer, missed: number | undefined, cause: GapCause): void {
    if (cause !== 'overrun' && this.#options.recover(subscription, missed)) return
    this.#options.report({ cause, groups: [subscription.name], node: peer.id, missed })
  }
}

/**
 * Compares with the last number that a node reports, and continues from there.
 *
 * @returns how many messages were missed; `undefined` when it is not known
 */
export function compareTop(subscription: Subscription, peer: Peer, top: number): number | undefined {
  const stream = subscription.streams?.get(peer)
  if (stream === undefined) {
    if (top === 0) return 0
    remember(subscription, peer, { seen: top, from: top + 1 })
    return undefined
  }
  // The node has forgotten the group, or the numbers are forged.
  if (top < stream.seen) {
    subscription.streams?.delete(peer)
    if (top > 0) remember(subscription, peer, { seen: top, from: top + 1 })
    return undefined
  }
  const missed = top - stream.seen
  stream.seen = top
  return missed
}

function compare(
  subscription: Subscription,
  peer: Peer,
  { base, top, flags }: HeartbeatEntry,
  isProven: boolean,
): number | undefined {
  const isFinal = (flags & Flag.final) !== 0
  const stream = subscription.streams?.get(peer)
  if (stream === undefined) {
    if (!isFinal) remember(subscription, peer, { seen: top, from: top + 1 })
    if (isProven) return top - base
    return (flags & (Flag.droppedByLimit | Flag.droppedOffline)) === 0 ? 0 : undefined
  }
  const before = isProven ? Math.max(0, stream.from - 1 - base) : 0
  stream.from = 0
  const behind = compareTop(subscription, peer, top)
  if (isFinal) subscription.streams?.delete(peer)
  return behind === undefined ? undefined : before + behind
}

function remember(subscription: Subscription, peer: Peer, stream: Stream): void {
  subscription.streams ??= new Map()
  subscription.streams.set(peer, stream)
}

function causeOf(flags: number): GapCause {
  if ((flags & Flag.droppedByLimit) !== 0) return 'queue'
  return (flags & Flag.droppedOffline) !== 0 ? 'connection' : 'sequence'
}
