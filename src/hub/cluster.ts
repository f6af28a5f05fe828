import { randomBytes } from 'node:crypto'
import { encodeClose } from '../protocol/close-codes.js'
import { MAX_NAME_LENGTH } from '../relay/channels.js'
import { NODE_ID_LENGTH, type RelayedMessage } from '../relay/envelope.js'
import type { Gap } from '../relay/gap.js'
import type { LocalGroups } from '../relay/local-groups.js'
import type { LocalPresence } from '../relay/presence.js'
import { createNode, type PartitionedNode } from '../relay/partitioned-node.js'
import type { PartitionedRelay, Relay } from '../relay/relay.js'
import type { RelayNode } from '../relay/relay-node.js'
import { PreparedMessage } from '../sending/prepared-message.js'
import type { SlowLimits } from '../sending/slow-limits.js'
import { type BroadcastCounts, type BroadcastResult, deliverToAll } from './broadcast.js'
import type { Member } from './member.js'
import type { Memberships } from './memberships.js'

/** How many members received a message, and whether it was relayed. */
export interface PublishResult extends BroadcastResult {
  /**
   * Whether the broker has taken it. `false` if it stayed in this process, or if that is not known because the
   * connection was lost meanwhile: it is not sent again.
   */
  relayed: boolean
}

/** What a cluster requires from its hub. */
interface LocalHub {
  readonly memberships: Memberships
  readonly presence: LocalPresence
  readonly limits: SlowLimits
  readonly counts: BroadcastCounts
  readonly onFailure: (failure: unknown, member: Member) => void
}

/** A hub among those of other processes. */
export class Cluster implements LocalGroups {
  readonly id: string = randomBytes(NODE_ID_LENGTH).toString('hex')
  readonly node: RelayNode | PartitionedNode
  readonly #hub: LocalHub

  constructor(relay: Relay | PartitionedRelay, hub: LocalHub, onGap: (gap: Gap) => void) {
    this.#hub = hub
    this.node = createNode(relay, this, hub.presence, onGap)
    hub.memberships.watcher = this.node
  }

  /**
   * Publishes a message to the other processes.
   *
   * @throws RangeError when it is too long
   */
  publish(name: string, message: PreparedMessage, done?: (relayed: boolean) => void): void {
    const { length } = message.payload
    if (length > this.node.maxPayload) {
      throw new RangeError(
        `A message of ${length} bytes is longer than the relay's maxPayload of ${this.node.maxPayload}: ` +
          'send less, or raise maxPayload in all processes',
      )
    }
    this.node.publish(name, message, done)
  }

  deliver(name: string, { payload, isBinary, compress }: RelayedMessage): void {
    const { memberships, limits, counts, onFailure } = this.#hub
    const members = memberships.membersOf(name)
    if (members === undefined) return
    const message = new PreparedMessage(payload, isBinary, compress)
    const { delivered, skipped } = deliverToAll(members, message, limits, undefined, onFailure)
    counts.delivered += delivered
    counts.skipped += skipped
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
