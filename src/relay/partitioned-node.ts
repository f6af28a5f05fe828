import { ignore } from '../options/ignore.js'
import { keyOf } from './channels.js'
import type { Description, Question } from './control.js'
import type { RelayedMessage } from './envelope.js'
import type { Gap } from './gap.js'
import type { LocalGroups } from './local-groups.js'
import type { LocalPresence } from './presence.js'
import type { PresenceNode } from './presence-node.js'
import type { Done } from './publisher.js'
import type { PartitionedRelay, Relay } from './relay.js'
import { RelayNode } from './relay-node.js'
import type { RelayStats } from './relay-stats.js'
import type { Answers } from './requests.js'

/** The node of a hub: one for its relay, or one with the same id for each of its partitions. */
export function createNode(
  relay: Relay | PartitionedRelay,
  local: LocalGroups,
  present: LocalPresence,
  onGap: (gap: Gap) => void,
): RelayNode | PartitionedNode {
  return 'partitions' in relay
    ? new PartitionedNode(relay.partitions, local, present, onGap)
    : new RelayNode(relay, local, present, onGap)
}

/**
 * One hub among those that share a broker with partitions. Sequence numbers, heartbeats, probes, presence and recovery
 * rely on the order of messages, which holds within a partition only; so each partition has a node of its own.
 */
export class PartitionedNode {
  /** Settles when all partitions are ready. */
  readonly ready: Promise<void>
  /** Who is present in groups. */
  readonly presence: Pick<PresenceNode, 'publish' | 'members'> = {
    publish: (name, ...change) => this.#nodeOf(keyOf(name)).presence.publish(name, ...change),
    members: (name) => this.#nodeOf(keyOf(name)).presence.members(name),
  }
  readonly #nodes: readonly RelayNode[]

  constructor(
    partitions: readonly Relay[],
    local: LocalGroups,
    present: LocalPresence,
    onGap: (gap: Gap) => void,
  ) {
    const nodes: RelayNode[] = []
    for (const [index, partition] of partitions.entries()) {
      nodes.push(new RelayNode(partition, local, ofPartition(present, index, partitions.length), onGap))
    }
    this.#nodes = nodes
    this.ready = Promise.all(nodes.map(({ ready }) => ready)).then(ignore)
    this.ready.catch(ignore)
  }

  get id(): string {
    return this.#nodes[0]!.id
  }

  get maxPayload(): number {
    return this.#nodes[0]!.maxPayload
  }

  joined(name: string): void {
    this.#nodeOf(keyOf(name)).joined(name)
  }

  left(name: string): void {
    this.#nodeOf(keyOf(name)).left(name)
  }

  groupReady(name: string): Promise<void> {
    return this.#nodeOf(keyOf(name)).groupReady(name)
  }

  publish(name: string, message: RelayedMessage, done?: Done): void {
    this.#nodeOf(keyOf(name)).publish(name, message, done)
  }

  /** Asks in the partition of the group; about nodes in any that is connected. */
  ask(question: Question): Promise<Answers> {
    const connected = this.#nodes.find((node) => node.stats().connected) ?? this.#nodes[0]!
    return ('key' in question ? this.#nodeOf(question.key) : connected).ask(question)
  }

  describe(): Description {
    return this.#nodes[0]!.describe()
  }

  stats(): RelayStats {
    const [first, ...rest] = this.#nodes.map((node) => node.stats())
    return rest.reduce(
      (sum, one) => ({
        connected: sum.connected && one.connected,
        nodes: Math.max(sum.nodes, one.nodes),
        published: sum.published + one.published,
        dropped: sum.dropped + one.dropped,
        received: sum.received + one.received,
        refused: sum.refused + one.refused,
        gaps: sum.gaps + one.gaps,
      }),
      first!,
    )
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.close()))
  }

  #nodeOf(key: string): RelayNode {
    return this.#nodes[partitionOf(key, this.#nodes.length)]!
  }
}

/** The partition of a group: FNV-1a of its key. All processes must find the same one. */
export function partitionOf(key: string, partitions: number): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  }
  return (hash >>> 0) % partitions
}

/** What a partition knows of the groups: its own. */
function ofPartition(present: LocalPresence, partition: number, partitions: number): LocalPresence {
  return {
    present: (name) => present.present(name),
    isObserved: () => present.isObserved(),
    changed: (name, changes) => present.changed(name, changes),
    *groupNames() {
      for (const name of present.groupNames()) {
        if (partitionOf(keyOf(name), partitions) === partition) yield name
      }
    },
  }
}
