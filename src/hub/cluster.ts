import { randomBytes } from 'node:crypto'
import { encodeClose } from '../protocol/close-codes.js'
import { MAX_NAME_LENGTH } from '../relay/channels.js'
import { NODE_ID_LENGTH, type RelayedMessage } from '../relay/envelope.js'
import type { Gap } from '../relay/gap.js'
import type { HistoryEntry } from '../relay/history.js'
import type { LocalGroups } from '../relay/local-groups.js'
import type { LocalPresence } from '../relay/presence.js'
import { createNode, type PartitionedNode } from '../relay/partitioned-node.js'
import type { PartitionedRelay, Relay } from '../relay/relay.js'
import type { RelayNode } from '../relay/relay-node.js'
import type { RelayStats } from '../relay/relay-stats.js'
import { PreparedMessage } from '../sending/prepared-message.js'
import type { SlowLimits } from '../sending/slow-limits.js'
import { type BroadcastCounts, deliverToAll } from './broadcast.js'
import type { Member } from './member.js'
import type { Memberships, MembershipsWatcher } from './memberships.js'
import { RelayedHistories } from './relayed-histories.js'

/** What a cluster requires from its hub. */
interface ClusterHub {
  readonly memberships: Memberships
  readonly presence: LocalPresence
  readonly limits: SlowLimits
  readonly counts: BroadcastCounts
  readonly onFailure: (failure: unknown, member: Member) => void
}

/** A hub among those of other processes. */
export class Cluster implements LocalGroups, MembershipsWatcher {
  readonly id: string = randomBytes(NODE_ID_LENGTH).toString('hex')
  readonly node: RelayNode | PartitionedNode
  readonly histories: RelayedHistories
  readonly #hub: ClusterHub

  constructor(relay: Relay | PartitionedRelay, hub: ClusterHub, onGap: (gap: Gap) => void) {
    this.#hub = hub
    this.histories = new RelayedHistories({
      relay,
      hub,
      id: () => this.node.id,
      ready: (name) => this.node.groupReady(name),
      report: onGap,
    })
    this.node = createNode(relay, this, hub.presence, onGap)
    hub.memberships.watcher = this
  }

  joined(name: string): void {
    this.node.joined(name)
    this.histories.joined(name)
  }

  left(name: string): void {
    this.node.left(name)
    this.histories.left(name)
  }

  /**
   * Publishes a message to the other processes.
   *
   * @throws RangeError when it is too long
   */
  publish(name: string, message: PreparedMessage, done?: (relayed: boolean) => void): void {
    this.checkLength(message)
    this.node.publish(name, message, done)
  }

  /** @throws RangeError when the message is too long to be relayed */
  checkLength({ payload: { length } }: PreparedMessage): void {
    if (length <= this.node.maxPayload) return
    throw new RangeError(
      `A message of ${length} bytes is longer than the relay's maxPayload of ${this.node.maxPayload}: ` +
        'send less, or raise maxPayload in all processes',
    )
  }

  deliver(name: string, { payload, isBinary, compress }: RelayedMessage): void {
    if (this.histories.of(name) !== undefined) {
      this.histories.warnOfMismatch(name, true)
      return
    }
    const { memberships, limits, counts, onFailure } = this.#hub
    const members = memberships.membersOf(name)
    if (members === undefined) return
    const message = new PreparedMessage(payload, isBinary, compress)
    const { delivered, skipped } = deliverToAll(members, message, limits, undefined, onFailure)
    counts.delivered += delivered
    counts.skipped += skipped
  }

  deliverEntry(name: string, entry: HistoryEntry | undefined): void {
    this.histories.take(name, entry)
  }

  refill(gap: Gap): Gap | undefined {
    return this.histories.refill(gap)
  }

  connectionChanged(canPublish: boolean, isUp: boolean): void {
    this.histories.changed(canPublish, isUp)
  }

  stats(): RelayStats {
    const { published, dropped, received, refused, gaps, ...state } = this.node.stats()
    const { counts, publisher } = this.histories
    return {
      ...state,
      published: published + publisher.counts.published,
      dropped: dropped + publisher.counts.dropped,
      received: received + counts.received,
      refused: refused + counts.refused,
      gaps: gaps + counts.gaps,
    }
  }

  /** Publishes what waits, and ends the connection. */
  async end(): Promise<void> {
    await this.histories.close()
    await this.node.close()
  }

  size(name: string): number {
    return this.#hub.memberships.membersOf(name)?.size ?? 0
  }

  close(name: string, code: number | undefined, reason: string): number {
    encodeClose(code, reason)
    const members = [...(this.#hub.memberships.membersOf(name) ?? [])]
    for (const member of members) {
      try {
        member.close(code, reason)
      } catch (failure) {
        this.#hub.onFailure(failure, member)
      }
    }
    return members.length
  }

  counts(): { groups: number; members: number } {
    const { groupCount, memberCount } = this.#hub.memberships
    return { groups: groupCount, members: memberCount }
  }
}

/** @throws RangeError when the name of a group is too long to be relayed */
export function checkName(name: string): void {
  if (name.length <= MAX_NAME_LENGTH) return
  throw new RangeError(
    `The name of a group may have ${MAX_NAME_LENGTH} UTF-16 code units with a relay; this one has ${name.length}`,
  )
}
