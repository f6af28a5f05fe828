import { describe } from '../options/describe.js'
import type { PreparedMessage } from '../sending/prepared-message.js'
import type { SlowLimits } from '../sending/slow-limits.js'
import type { Member } from './member.js'

/** How a message is broadcast. */
export interface BroadcastOptions {
  /** A member that does not get it, usually the one it came from; or an iterable of members. */
  except?: Member | Iterable<Member> | null | undefined
  /** Sends bytes as a binary message (the default for all but strings and numbers) or, with `false`, as text. */
  binary?: boolean | null | undefined
  /** Compresses it for the members that negotiated compression; `true` by default. */
  compress?: boolean | null | undefined
}

/** How many members got a broadcast. */
export interface BroadcastResult {
  /** Members to which it is on its way. */
  delivered: number
  /** Members that are closing, were too slow for it, or failed to take it. */
  skipped: number
}

/** Counts over all broadcasts of a hub. */
export interface BroadcastCounts extends BroadcastResult {
  /** Messages, each counted once however many members got it. */
  broadcasts: number
}

/** Whom a message spares, or what it is that was given as `except`. */
export type Exception = Member | ReadonlySet<Member> | undefined

/** @throws TypeError when it is neither a member nor an iterable of members */
export function toException(except: BroadcastOptions['except']): Exception {
  if (except === undefined || except === null) return undefined
  if (isMember(except)) return except
  if (except instanceof Set) return checkAll(except as ReadonlySet<Member>)
  if (typeof except === 'object' && Symbol.iterator in except) return checkAll(new Set(except))
  throw new TypeError(`except must be a member or an iterable of members; it is ${describe(except)}`)
}

/** Gives a message to each member. `onFailure` is told of one that threw, which counts as skipped. */
export function deliverToAll(
  members: Iterable<Member>,
  message: PreparedMessage,
  limits: SlowLimits,
  except: Exception,
  onFailure: (failure: unknown, member: Member) => void,
): BroadcastResult {
  const result: BroadcastResult = { delivered: 0, skipped: 0 }
  const many = except instanceof Set ? (except as ReadonlySet<Member>) : undefined
  for (const member of members) {
    if (member === except || many?.has(member) === true) continue
    try {
      if (member.deliver(message, limits)) result.delivered++
      else result.skipped++
    } catch (failure) {
      result.skipped++
      onFailure(failure, member)
    }
  }
  return result
}

/** @throws TypeError when the value is no member */
export function checkMember(method: string, value: unknown): void {
  if (isMember(value)) return
  throw new TypeError(
    `${method} takes a member: a WebSocket, or an object with readyState, deliver, close and onceClosed. ` +
      `It was given ${describe(value)}`,
  )
}

function checkAll(members: ReadonlySet<Member>): ReadonlySet<Member> {
  for (const member of members) {
    if (isMember(member)) continue
    throw new TypeError(`except must be a member or an iterable of members; it contains ${describe(member)}`)
  }
  return members
}

function isMember(value: unknown): value is Member {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<Member>).deliver === 'function' &&
    typeof (value as Partial<Member>).onceClosed === 'function'
  )
}
