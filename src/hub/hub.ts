import { EventEmitter } from 'node:events'
import { checkChoice, checkNumber, describe, withoutNulls } from '../options/checks.js'
import { toError } from '../options/thrown.js'
import type { Payload } from '../sending/payload.js'
import type { SlowPolicy } from '../sending/slow-limits.js'
import { type BroadcastCounts, type BroadcastOptions, type BroadcastResult } from './broadcast.js'
import { createGroup, type Group, type GroupContext } from './group.js'
import type { Member } from './member.js'
import { Memberships } from './memberships.js'

/** How a hub treats slow members; by default as their server does. */
export interface HubOptions {
  /** Bytes that may wait for a member before it counts as slow; `Infinity` for no limit. */
  maxBufferedAmount?: number | null | undefined
  /** What becomes of a slow member: `'terminate'` ends its connection, `'skip'` spares it the message. */
  slowPolicy?: SlowPolicy | null | undefined
}

/** What a hub has done so far. */
export interface HubStats extends BroadcastCounts {
  /** Groups that have members now. */
  groups: number
  /** Members of one group or more now. */
  members: number
}

/** What a hub emits. */
export interface HubEvents<Socket extends Member = Member> {
  /**
   * A member's `deliver` threw. Without a listener the first is a warning of the process (`HUBWIRE_MEMBER_FAILED`). The
   * other members get their message.
   */
  error: [error: Error, member: Socket]
}

/**
 * Groups of sockets, and messages to all members of a group from anywhere in the process. Members are sockets in either
 * role, of any number of servers, or whatever implements {@link Member}.
 */
export class Hub<Socket extends Member = Member> extends EventEmitter<HubEvents<Socket>> {
  readonly #context: GroupContext
  #hasWarned = false

  /**
   * @throws RangeError when `maxBufferedAmount` is not a positive number
   * @throws TypeError when `slowPolicy` is neither `'terminate'` nor `'skip'`
   */
  constructor(options?: HubOptions | null) {
    super()
    const { maxBufferedAmount, slowPolicy } = withoutNulls(options ?? {}) as {
      maxBufferedAmount?: number
      slowPolicy?: SlowPolicy
    }
    if (maxBufferedAmount !== undefined) checkNumber('maxBufferedAmount', maxBufferedAmount, 1)
    if (slowPolicy !== undefined) checkChoice('slowPolicy', slowPolicy, ['terminate', 'skip'])
    this.#context = {
      memberships: new Memberships(),
      limits: { maxBufferedAmount, slowPolicy },
      counts: { broadcasts: 0, delivered: 0, skipped: 0 },
      onFailure: (failure, member) => {
        this.#reportFailure(failure, member as Socket)
      },
    }
  }

  /**
   * The group of this name, which may have no members yet.
   *
   * @throws TypeError when the name is not a string
   */
  group(name: string): Group<Socket> {
    if (typeof name !== 'string') {
      throw new TypeError(`The name of a group must be a string; it is ${describe(name)}`)
    }
    return createGroup(name, this.#context)
  }

  /** The same as `group(name).broadcast(data, options)`. */
  broadcast(name: string, data: Payload, options?: BroadcastOptions | null): BroadcastResult {
    return this.group(name).broadcast(data, options)
  }

  /** The groups that have members. */
  *groups(): IterableIterator<Group<Socket>> {
    for (const name of this.#context.memberships.groupNames()) yield this.group(name)
  }

  /** Takes a member out of all its groups, as closing does. */
  leaveAll(member: Member): void {
    this.#context.memberships.leaveAll(member)
  }

  /** Counts since the hub was made, and of now. */
  stats(): HubStats {
    const { memberships, counts } = this.#context
    return { groups: memberships.groupCount, members: memberships.memberCount, ...counts }
  }

  #reportFailure(failure: unknown, member: Socket): void {
    const error = toError(failure)
    if (this.listenerCount('error') === 0) this.#warnOnce(error)
    else {
      try {
        ;(this as EventEmitter).emit('error', error, member)
      } catch (cause) {
        // The other members still get the broadcast.
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
