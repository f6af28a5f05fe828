import type { EventEmitter } from 'node:events'
import { TypedEmitter } from '../events/typed-emitter.js'
import { checkChoice, checkNumber, checkOptions, withoutNulls } from '../options/checks.js'
import { describe } from '../options/describe.js'
import { throwLater, toError } from '../options/thrown.js'
import type { Gap } from '../relay/gap.js'
import { checkRelay, type PartitionedRelay, type Relay } from '../relay/relay.js'
import type { RelayStats } from '../relay/relay-stats.js'
import { checkNames } from '../options/spelling.js'
import type { Payload } from '../sending/payload.js'
import type { SlowPolicy } from '../sending/slow-limits.js'
import { type BroadcastCounts, type BroadcastOptions, type BroadcastResult } from './broadcast.js'
import { checkName, Cluster } from './cluster.js'
import { describeNodes, type NodesResult } from './everywhere.js'
import { createGroup, type Group, type GroupContext } from './group.js'
import type { GroupOptions } from './history.js'
import { LocalHistories } from './local-history.js'
import type { Member } from './member.js'
import { Memberships } from './memberships.js'
import { HubPresence, type PresenceChange } from './presence.js'
import type { PublishResult } from './publish-result.js'

/** The options of a hub. By default, slow members are treated as by their server. */
export interface HubOptions {
  /** Bytes that may be queued for a member before it counts as slow; `Infinity` for no limit. */
  maxBufferedAmount?: number | null | undefined
  /** What happens to a slow member: `'terminate'` ends its connection, `'skip'` skips the message. */
  slowPolicy?: SlowPolicy | null | undefined
  /** Connects the hub with those of other processes, for example `redisRelay(client)` of `hubwire/redis`. */
  relay?: Relay | PartitionedRelay | null | undefined
}

/** What a hub has done so far. */
export interface HubStats extends BroadcastCounts {
  /** Groups that currently have members. */
  groups: number
  /** Current members of one group or more. */
  members: number
  /** Statistics of the relay; only with a relay. */
  relay?: RelayStats
}

/** The events of a hub. */
interface HubEvents<Socket extends Member = Member> {
  /**
   * A member's `deliver` threw, or `encode` of a history did: then `member` is one of those that missed the message.
   * Without a listener, the first such error causes a process warning (`HUBWIRE_MEMBER_FAILED`). The other members, and
   * other messages, are not affected.
   */
  error: [error: Error, member: Socket]
  /** Members of this process missed messages from other processes. */
  gap: [gap: Gap]
  /**
   * Members that were added with `presence` joined a group or left it, in any process. There is one event per group and
   * turn of the event loop, or per message from another process. With a relay, it is emitted for the groups that have
   * members in this process, and first lists the members that are present in other processes.
   */
  presence: [change: PresenceChange]
}

/**
 * Groups of sockets, to which any part of the process can send messages. Members are sockets in either
 * role, of any number of servers, or any objects that implement {@link Member}.
 */
export class Hub<Socket extends Member = Member> extends TypedEmitter<HubEvents<Socket>> {
  readonly #context: GroupContext
  #hasWarned = false

  /**
   * @throws RangeError when `maxBufferedAmount` is not a positive number
   * @throws TypeError when `slowPolicy` is neither `'terminate'` nor `'skip'`, or `relay` is not a relay
   */
  constructor(options?: HubOptions | null) {
    super()
    checkOptions('new Hub()', options, "{ slowPolicy: 'skip' }")
    checkNames(options ?? {}, ['maxBufferedAmount', 'slowPolicy', 'relay'])
    const { maxBufferedAmount, slowPolicy, relay } = withoutNulls(options ?? {}) as {
      maxBufferedAmount?: number
      slowPolicy?: SlowPolicy
      relay?: Relay | PartitionedRelay
    }
    if (maxBufferedAmount !== undefined) checkNumber('maxBufferedAmount', maxBufferedAmount, 1)
    if (slowPolicy !== undefined) checkChoice('slowPolicy', slowPolicy, ['terminate', 'skip'])
    if (relay !== undefined) checkRelay(relay)
    const memberships = new Memberships()
    const presence = new HubPresence({
      memberships,
      isObserved: () => this.listenerCount('presence') > 0,
      emit: (change) => this.#report('presence', change),
    })
    const local = {
      memberships,
      presence,
      limits: { maxBufferedAmount, slowPolicy },
      counts: { broadcasts: 0, delivered: 0, skipped: 0 },
      onFailure: (failure: unknown, member: Member) => {
        this.#reportFailure(failure, member as Socket)
      },
    }
    const cluster = relay && new Cluster(relay, local, (gap) => this.#report('gap', gap))
    presence.node = cluster?.node
    this.#context = { ...local, cluster, histories: cluster?.histories ?? new LocalHistories(local) }
  }

  /**
   * Returns the group with this name, which may have no members yet. With `history`, the group has a history from then on,
   * in this hub: declare it in all processes, before the first member joins.
   *
   * @throws TypeError when the name is not a string, or the relay keeps no history
   * @throws TypeError or RangeError when an option of the history cannot be used
   * @throws RangeError when the name is longer than 1,024 UTF-16 code units, with a relay
   * @throws Error when the group has another history, or has none and has members
   */
  group(name: string, options?: GroupOptions | null): Group<Socket> {
    if (typeof name !== 'string') {
      throw new TypeError(`The name of a group must be a string; it is ${describe(name)}`)
    }
    if (this.#context.cluster !== undefined) checkName(name)
    if (options !== undefined) {
      checkOptions('hub.group()', options, '{ history: { size, ttl, encode } }')
      checkNames(options ?? {}, ['history'])
      if (options?.history) this.#context.histories.declare(name, options.history)
    }
    return createGroup(name, this.#context)
  }

  /** The same as `group(name).broadcast(data, options)`. */
  broadcast(name: string, data: Payload, options?: BroadcastOptions | null): BroadcastResult {
    return this.group(name).broadcast(data, options)
  }

  /** The same as `group(name).publish(data, options)`. */
  async publish(name: string, data: Payload, options?: BroadcastOptions | null): Promise<PublishResult> {
    return await this.group(name).publish(data, options)
  }

  /**
   * Resolves when the relay has connected for the first time, and at once without a relay. Stays pending while the
   * broker cannot be reached. Rejects when the broker refuses the client, with what to do, and when the hub is closed.
   * An unhandled rejection is ignored.
   */
  get ready(): Promise<void> {
    return this.#context.cluster?.node.ready ?? Promise.resolve()
  }

  /** The processes whose hubs share the broker and the prefix, this one first. */
  async nodes(): Promise<NodesResult> {
    const { cluster, memberships } = this.#context
    return await describeNodes(cluster, memberships)
  }

  /**
   * Publishes all queued messages, and ends the relay's connections, so that the process can exit. From then on the hub
   * works in this process only. Does nothing without a relay.
   */
  async close(): Promise<void> {
    await this.#context.cluster?.end()
  }

  /** The groups that have members. */
  *groups(): IterableIterator<Group<Socket>> {
    for (const name of this.#context.memberships.groupNames()) yield this.group(name)
  }

  /** Removes a member from all its groups, as closing does. */
  leaveAll(member: Member): void {
    this.#context.memberships.leaveAll(member)
  }

  /** Counts since the hub was created, and current ones. */
  stats(): HubStats {
    const { memberships, counts, cluster } = this.#context
    const stats = { groups: memberships.groupCount, members: memberships.memberCount, ...counts }
    return cluster === undefined ? stats : { ...stats, relay: cluster.stats() }
  }

  #report(event: 'gap' | 'presence', value: Gap | PresenceChange): void {
    try {
      ;(this as EventEmitter).emit(event, value)
    } catch (error) {
      // What follows is still delivered.
      throwLater(error)
    }
  }

  #reportFailure(failure: unknown, member: Socket): void {
    const error = toError(failure)
    if (this.listenerCount('error') === 0) this.#warnOnce(error)
    else {
      try {
        this.emit('error', error, member)
      } catch (cause) {
        // The other members still receive the broadcast.
        this.#warnOnce(toError(cause))
      }
    }
  }

  #warnOnce(error: Error): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    process.emitWarning(`A member failed to take a broadcast: ${error.message}`, {
      type: 'HubwireWarning',
      code: 'HUBWIRE_MEMBER_FAILED',
      detail: error.stack ?? error.message,
    })
  }
}
