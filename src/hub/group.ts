import { type Payload, toPayload } from '../sending/payload.js'
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
import type { Member } from './member.js'
import type { Memberships } from './memberships.js'

/** What the groups of a hub share. */
interface GroupContext {
  readonly memberships: Memberships
  readonly limits: SlowLimits
  readonly counts: BroadcastCounts
  readonly onFailure: (failure: unknown, member: Member) => void
}

export type { BroadcastOptions, BroadcastResult, GroupContext }

/** Makes the handle of a group: for its hub. */
export let createGroup: <Socket extends Member>(name: string, context: GroupContext) => Group<Socket>

/**
 * Members under a name. A handle that costs nothing: the group exists while it has members, and every handle of that
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
    return this.#members?.size ?? 0
  }

  /**
   * Adds a member, which leaves by itself when it closes. One that has closed already is not added.
   *
   * @throws TypeError when it is no member
   */
  add(member: Socket): this {
    checkMember('group.add()', member)
    this.#context.memberships.add(this.name, member)
    return this
  }

  /** Removes a member. Returns `false` when it was none. */
  delete(member: Member): boolean {
    return this.#context.memberships.delete(this.name, member)
  }

  /** Whether it is a member. */
  has(member: Member): boolean {
    return this.#members?.has(member) ?? false
  }

  /** The members in the order in which they were added. */
  *[Symbol.iterator](): IterableIterator<Socket> {
    yield* (this.#members ?? []) as Iterable<Socket>
  }

  /**
   * Sends a message to all members: encoded once, and what is broadcast in the same tick leaves in one write for each
   * member. At most once, and in order for each sender and member. Members may join, leave and close meanwhile. A member
   * whose `deliver` throws counts as skipped, and the hub emits `'error'`.
   *
   * @throws TypeError when the data is of no type that can be sent, or `except` is neither a member nor an iterable of them
   */
  broadcast(data: Payload, options?: BroadcastOptions | null): BroadcastResult {
    const { limits, counts, onFailure } = this.#context
    const payload = toPayload(data)
    const isBinary = options?.binary ?? (typeof data !== 'string' && typeof data !== 'number')
    const except = toException(options?.except)
    const members = this.#members
    const result =
      members === undefined
        ? { delivered: 0, skipped: 0 }
        : deliverToAll(
            members,
            new PreparedMessage(payload, isBinary, options?.compress ?? true),
            limits,
            except,
            onFailure,
          )
    counts.broadcasts++
    counts.delivered += result.delivered
    counts.skipped += result.skipped
    return result
  }

  /** Begins the closing handshake with every member. @throws what `WebSocket.close` throws */
  close(code?: number, reason?: string): void {
    for (const member of this) member.close(code, reason)
  }

  get #members(): ReadonlySet<Member> | undefined {
    return this.#context.memberships.membersOf(this.name)
  }
}
