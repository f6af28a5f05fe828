import { describe } from '../options/describe.js'
import type { PreparedMessage } from '../sending/prepared-message.js'
import type { SlowLimits } from '../sending/slow-limits.js'
import type { Member } from './member.js'

/** How a message is broadcast. */
export interface BroadcastOptions {
  /** A member that does not receive the message, usually its sender; or an iterable of members. */
  except?: Member | Iterable<Member> | null | undefined
  /** Sends bytes as a binary message (the default except for strings and numbers) or, with `false`, as text. */
  binary?: boolean | null | undefined
  /** Compresses it for the members that negotiated compression; `true` by default. */
  compress?: boolean | null | undefined
}

/** How many members received a broadcast. */
export interface BroadcastResult {
  /** Members to which it was sent. */
  delivered: number
  /** Members that are closing, are too slow, or failed to take it. */
  skipped: number
}

/** Counts over all broadcasts of a hub. */
export interface BroadcastCounts extends BroadcastResult {
  /** Messages, each counted once however many members received it. */
  broadcasts: number
}

/** The members that a message excludes. */
export type Exception = Member | ReadonlySet<Member> | undefined

/** @throws TypeError when it is neither a member nor an iterable of members */
export function toException(except: BroadcastOptions['except']): Exception {
  if (except === undefined || except === null) return undefined
  if (isMember(except)) return except
  if (except instanceof Set) return checkAll(except as ReadonlySet<Member>)
  if (typeof except === 'object' && Symbol.iterator in except) return checkAll(new Set(except))
  throw new TypeError(`except must be a member or an iterable of members; it is ${describe(except)}`)
}

/** Delivers a message to each member. A member that throws counts as skipped and is reported to `onFailure`. */
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

/** @throws TypeError when the value is not a member */
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
