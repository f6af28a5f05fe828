import type { SlowLimits } from '../sending/slow-limits.js'
import type { Member } from './member.js'
import { type Payload, toPayload } from '../sending/payload.js'
import { PreparedMessage } from '../sending/prepared-message.js'
import type { Memberships } from './memberships.js'

/** How a message is broadcast. */
export interface BroadcastOptions {
  /** A member that does not get it, as a rule the one that it came from; or several. */
  except?: Member | ReadonlySet<Member> | undefined
  /** Sends octets as a binary message (the default for all but strings) or, with `false`, as text. */
  binary?: boolean
  /** Compresses it for the members that negotiated compression; `true` by default. */
  compress?: boolean
}

/** How many members got a broadcast. */
export interface BroadcastResult {
  /** Members to which it is on its way. */
  delivered: number
  /** Members that are closing, or were too slow for it. */
  skipped: number
}

/** Counts over all broadcasts of a hub. */
export interface BroadcastCounts extends BroadcastResult {
  /** Messages, each counted once however many got it. */
  broadcasts: number
}

/**
 * Members under a name. A handle that costs nothing: the group exists while it has members, and every handle of that
 * name is the same group.
 */
export class Group {
  /** The name within the hub. */
  readonly name: string
  readonly #memberships: Memberships
  readonly #limits: SlowLimits
  readonly #counts: BroadcastCounts

  /** @internal Groups come from `hub.group(name)`. */
  constructor(name: string, memberships: Memberships, limits: SlowLimits, counts: BroadcastCounts) {
    this.name = name
    this.#memberships = memberships
    this.#limits = limits
    this.#counts = counts
  }

  /** The number of members. */
  get size(): number {
    return this.#memberships.membersOf(this.name)?.size ?? 0
  }

  /** Adds a member; it leaves by itself when it closes. One that is closed already is not added. */
  add(member: Member): this {
    this.#memberships.add(this.name, member)
    return this
  }

  /** Removes a member; `false` when it was none. */
  delete(member: Member): boolean {
    return this.#memberships.delete(this.name, member)
  }

  has(member: Member): boolean {
    return this.#memberships.membersOf(this.name)?.has(member) ?? false
  }

  /** The members in the order in which they came. */
  *[Symbol.iterator](): IterableIterator<Member> {
    yield* this.#memberships.membersOf(this.name) ?? []
  }

  /**
   * Sends a message to all members: encoded once, and what is broadcast in the same tick leaves in one write for each
   * member. At most once, and in order for each sender and member. Members may join, leave and close meanwhile.
   *
   * @throws TypeError when the data is of no type that can be sent
   */
  broadcast(data: Payload, options: BroadcastOptions = {}): BroadcastResult {
    const { except, binary = typeof data !== 'string' && typeof data !== 'number', compress = true } = options
    const payload = toPayload(data)
    const result: BroadcastResult = { delivered: 0, skipped: 0 }
    const members = this.#memberships.membersOf(this.name)
    if (members !== undefined) {
      const message = new PreparedMessage(payload, binary, compress)
      const many = except instanceof Set ? (except as ReadonlySet<Member>) : undefined
      for (const member of members) {
        if (member === except || many?.has(member) === true) continue
        if (member.deliver(message, this.#limits)) result.delivered++
        else result.skipped++
      }
    }
    this.#counts.broadcasts++
    this.#counts.delivered += result.delivered
    this.#counts.skipped += result.skipped
    return result
  }

  /** Begins the closing handshake with every member. @throws what `WebSocket.close` throws */
  close(code?: number, reason?: string): void {
    for (const member of this) member.close(code, reason)
  }
}
