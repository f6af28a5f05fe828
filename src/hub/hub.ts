import type { Member } from './member.js'
import type { Payload } from '../sending/payload.js'
import { checkChoice, checkNumber } from '../options/checks.js'
import type { SlowPolicy } from '../sending/slow-limits.js'
import { type BroadcastCounts, type BroadcastOptions, type BroadcastResult, Group } from './group.js'
import { Memberships } from './memberships.js'

/** How a hub treats slow members; by default as their server does. */
export interface HubOptions {
  /** Octets that may wait for a member before it counts as slow. */
  maxBufferedAmount?: number
  /** What becomes of a slow member: `'terminate'` ends its connection, `'skip'` spares it the message. */
  slowPolicy?: SlowPolicy
}

/** What a hub has done so far. */
export interface HubStats extends BroadcastCounts {
  /** Groups that have members now. */
  groups: number
  /** Members of one group or more now. */
  members: number
}

/**
 * Groups of sockets, and messages to all of a group from anywhere in the process. Members are sockets in either role,
 * of any number of servers.
 */
export class Hub {
  readonly #memberships = new Memberships()
  readonly #options: HubOptions
  readonly #counts: BroadcastCounts = { broadcasts: 0, delivered: 0, skipped: 0 }

  /**
   * @throws RangeError when `maxBufferedAmount` is not a positive number
   * @throws TypeError when `slowPolicy` is none
   */
  constructor(options: HubOptions = {}) {
    if (options.maxBufferedAmount !== undefined)
      checkNumber('maxBufferedAmount', options.maxBufferedAmount, 1)
    if (options.slowPolicy !== undefined) checkChoice('slowPolicy', options.slowPolicy, ['terminate', 'skip'])
    this.#options = options
  }

  /** The group of this name, which may have no members yet. */
  group(name: string): Group {
    return new Group(name, this.#memberships, this.#options, this.#counts)
  }

  /** `group(name).broadcast(data, options)`. */
  broadcast(name: string, data: Payload, options?: BroadcastOptions): BroadcastResult {
    return this.group(name).broadcast(data, options)
  }

  /** The groups that have members. */
  *groups(): IterableIterator<Group> {
    for (const name of this.#memberships.groupNames()) yield this.group(name)
  }

  /** Takes a member out of all its groups; closing does the same. */
  leaveAll(member: Member): void {
    this.#memberships.leaveAll(member)
  }

  /** Counts since the hub was made, and of now. */
  stats(): HubStats {
    return { groups: this.#memberships.groupCount, members: this.#memberships.memberCount, ...this.#counts }
  }
}
