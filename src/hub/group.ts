import { describe } from '../options/describe.js'
import { ignore } from '../options/ignore.js'
import { toError } from '../options/thrown.js'
import { isBinaryByDefault, type Payload, toPayload } from '../sending/payload.js'
import { PreparedMessage } from '../sending/prepared-message.js'
import type { SlowLimits } from '../sending/slow-limits.js'
import {
  type BroadcastCounts,
  type BroadcastOptions,
  type BroadcastResult,
  checkMember,
  deliverToAll,
  toException,
} from './broadcast.js'
import type { Cluster } from './cluster.js'
import { closeMembers, type CloseResult, countMembers, type CountResult } from './everywhere.js'
import { type Histories, type JoinOptions, type JoinResult, useInstead } from './history.js'
import type { Member } from './member.js'
import type { Memberships } from './memberships.js'
import type { AddOptions, HubPresence, MembersResult } from './presence.js'
import type { PublishResult } from './publish-result.js'

/** The state that the groups of a hub share. */
interface GroupContext {
  readonly memberships: Memberships
  readonly presence: HubPresence
  readonly limits: SlowLimits
  readonly counts: BroadcastCounts
  readonly onFailure: (failure: unknown, member: Member) => void
  /** The other processes; `undefined` without a relay. */
  readonly cluster: Cluster | undefined
  readonly histories: Histories
}

export type { BroadcastOptions, BroadcastResult, GroupContext }

/** Creates the handle of a group, for its hub. */
export let createGroup: <Socket extends Member>(name: string, context: GroupContext) => Group<Socket>

/**
 * A named set of members. This is a lightweight handle: the group exists while it has members, and every handle of that
 * name is the same group. Handles come from `hub.group(name)`.
 */
export class Group<Socket extends Member = Member> {
  /** The name within the hub. */
  readonly name: string
  readonly #context: GroupContext

  private constructor(name: string, context: GroupContext) {
    this.name = name
    this.#context = context
  }

  static {
    createGroup = (name, context) => new Group(name, context)
  }

  /** The number of members. */
  get size(): number {
    return this.#members()?.size ?? 0
  }

  /**
   * Adds a member, which leaves automatically when it closes. One that has already closed is not added. With `presence`
   * it is present, see {@link members}. If it already is, the value replaces its previous one; without `presence` it keeps
   * that.
   *
   * @throws TypeError when it is not a member, or JSON cannot express `presence`
   * @throws RangeError when `presence` is longer than 4,096 bytes as JSON, or than the relay's `maxPayload`
   */
  add(member: Socket, options?: AddOptions | null): this
  /**
   * Adds a member to a group with a history. It first gets the messages after the position `since`, then new ones, and
   * none is missing or duplicated. A member that is already in the group gets the messages after `since` again.
   *
   * @returns a promise, which is pending while the broker cannot be reached, and rejects when the broker refuses to read,
   *   or the hub is closed: then the member is not added. If such a rejection is unhandled, it is ignored. It rejects with a
   *   TypeError when this is not a member, or the group has no history
   */
  add(member: Socket, options: JoinOptions & AddOptions): Promise<JoinResult>
  add(member: Socket, options?: (JoinOptions & AddOptions) | AddOptions | null): this | Promise<JoinResult> {
    if (typeof options === 'object' && options !== null && 'since' in options)
      return this.#join(member, options)
    const { memberships, presence } = this.#context
    checkMember('group.add()', member)
    const text = presence.textOf(options)
    memberships.add(this.name, member)
    if (text !== undefined) presence.add(this.name, member, text)
    return this
  }

  /** Removes a member. Returns `false` if it was not in the group. */
  delete(member: Member): boolean {
    return this.#context.memberships.delete(this.name, member)
  }

  /** Whether it is a member. */
  has(member: Member): boolean {
    return this.#members()?.has(member) ?? false
  }

  /** The members in the order in which they were added. */
  *[Symbol.iterator](): IterableIterator<Socket> {
    yield* (this.#members() ?? []) as Iterable<Socket>
  }

  /**
   * Sends a message to all members. It is encoded once, and leaves in one write for each member, together with what else is
   * broadcast while the event loop handles the input that has arrived. It is delivered at most once, and in order for each
   * sender and member. Members may join, leave and close meanwhile. A member whose `deliver` throws counts as skipped, and
   * the hub emits `'error'`.
   *
   * @throws TypeError when the data cannot be sent, `except` is neither a member nor an iterable of members, or the
   *   group has a history: use `publish`, which tells whether the message is in it
   */
  broadcast(data: Payload, options?: BroadcastOptions | null): BroadcastResult {
    if (this.#context.histories.of(this.name) !== undefined) {
      throw useInstead(this.name, 'broadcast()', 'await group.publish(data)')
    }
    return this.#broadcast(data, options)
  }

  /**
   * Sends a message as {@link broadcast} does, and reports whether the broker accepted it for the members in other
   * processes. Without a relay, `relayed` is `false`. `except` excludes members of this process.
   *
   * In a group with a history, the message is appended to the history, and all members, including those of this process,
   * get the messages in that order. While the broker cannot be reached, nobody gets it, and `relayed` is `false`. A member
   * in `except` gets it if it joins again with an older position.
   *
   * @throws TypeError as `broadcast` does, as a rejection
   * @throws RangeError when the data is longer than the relay's `maxPayload`, as a rejection
   */
  async publish(data: Payload, options?: BroadcastOptions | null): Promise<PublishResult> {
    const history = this.#context.histories.of(this.name)
    if (history !== undefined) {
      const message = new PreparedMessage(
        toPayload(data),
        isBinaryIn(options, data),
        options?.compress ?? true,
      )
      this.#context.cluster?.checkLength(message)
      this.#context.counts.broadcasts++
      return await history.publish(message, toException(options?.except))
    }
    let result: BroadcastResult | undefined
    const relayed = await new Promise<boolean>((resolve) => {
      result = this.#broadcast(data, options, resolve)
      if (this.#context.cluster === undefined) resolve(false)
    })
    return { ...result!, relayed }
  }

  /**
   * Resolves when messages from other processes arrive for the members of this group; at once without a relay, and for
   * a group without members. Rejects when the broker refuses the subscription, or the hub is closed.
   */
  get ready(): Promise<void> {
    return this.#context.cluster?.node.groupReady(this.name) ?? Promise.resolve()
  }

  /** Counts the members in all processes. `missing` names the nodes that did not answer in time. */
  async count(): Promise<CountResult> {
    return await countMembers(this.#context.cluster, this.name, this.size)
  }

  /**
   * Lists the members in all processes that were added with `presence`. `missing` lists the nodes whose members may be out
   * of date, after the relay's `requestTimeout`, or at once while the broker cannot be reached.
   *
   * The list is consistent with the hub's `'presence'` events if the group has members in this process: earlier events
   * are reflected in it, and later ones are not.
   */
  async members(): Promise<MembersResult> {
    return await this.#context.presence.members(this.name)
  }

  /**
   * Begins the closing handshake with every member in all processes; {@link close} does in this one.
   *
   * @throws TypeError or RangeError for a code or a reason that may not be sent, as a rejection
   */
  async closeEverywhere(code?: number, reason?: string): Promise<CloseResult> {
    const { cluster } = this.#context
    const closeHere = (): number => {
      const { size } = this
      this.close(code, reason)
      return size
    }
    return await closeMembers(cluster, this.name, closeHere, code, reason)
  }

  #join(member: Socket, options: JoinOptions & AddOptions): Promise<JoinResult> {
    const { histories, presence } = this.#context
    const history = histories.of(this.name)
    let text: string | undefined
    try {
      checkMember('group.add()', member)
      text = presence.textOf(options)
      if (history === undefined) {
        throw new TypeError(
          `The group ${describe(this.name)} has no history to read: write add(member) without options, ` +
            'or give it one with hub.group(name, { history: { size, ttl, encode } })',
        )
      }
    } catch (mistake) {
      return Promise.reject(toError(mistake))
    }
    const joined = history.join(member, options.since)
    if (text !== undefined && this.has(member)) presence.add(this.name, member, text)
    // A process that does not await it must not exit because the broker refuses; a process warning reports that.
    joined.catch(ignore)
    return joined
  }

  #broadcast(
    data: Payload,
    options: BroadcastOptions | null | undefined,
    done?: (relayed: boolean) => void,
  ): BroadcastResult {
    const { limits, counts, onFailure, cluster } = this.#context
    const payload = toPayload(data)
    const except = toException(options?.except)
    const members = this.#members()
    let result: BroadcastResult = { delivered: 0, skipped: 0 }
    if (members !== undefined || cluster !== undefined) {
      const message = new PreparedMessage(payload, isBinaryIn(options, data), options?.compress ?? true)
      cluster?.publish(this.name, message, done)
      if (members !== undefined) result = deliverToAll(members, message, limits, except, onFailure)
    }
    counts.broadcasts++
    counts.delivered += result.delivered
    counts.skipped += result.skipped
    return result
  }

  /** Begins the closing handshake with every member in this process. @throws what `WebSocket.close` throws */
  close(code?: number, reason?: string): void {
    for (const member of this) member.close(code, reason)
  }

  #members(): ReadonlySet<Member> | undefined {
    return this.#context.memberships.membersOf(this.name)
  }
}

function isBinaryIn(options: BroadcastOptions | null | undefined, data: Payload): boolean {
  return options?.binary ?? isBinaryByDefault(data)
}
