import { ignore } from '../options/ignore.js'
import type { RelayedMessage } from '../relay/envelope.js'
import type { HistoryPosition } from '../relay/history.js'
import { toPayload } from '../sending/payload.js'
import { PreparedMessage } from '../sending/prepared-message.js'
import type { SlowLimits } from '../sending/slow-limits.js'
import { type BroadcastCounts, type BroadcastResult, deliverToAll, type Exception } from './broadcast.js'
import type { HistorySettings } from './history.js'
import type { Member } from './member.js'

/** What delivery requires from a hub. */
export interface Delivery {
  readonly limits: SlowLimits
  readonly counts: BroadcastCounts
  readonly onFailure: (failure: unknown, member: Member) => void
}

/** A message of a history. It is encoded when its first receiver is there, and for all of them. */
export class HistoryMessage {
  readonly position: HistoryPosition
  /** Until it is encoded; `undefined` from the beginning for one that cannot be read. */
  #plain: RelayedMessage | undefined
  #encoded: PreparedMessage | undefined

  constructor(position: HistoryPosition, message: RelayedMessage | undefined) {
    this.position = position
    this.#plain = message
  }

  /** The bytes that it holds. */
  get length(): number {
    return this.#plain?.payload.length ?? this.#encoded?.plain.payloadLength ?? 0
  }

  /** Delivers it, and counts. Members for which there is no encoded message count as skipped. */
  deliver(
    members: Iterable<Member>,
    { encode }: HistorySettings,
    { limits, counts, onFailure }: Delivery,
    except: Exception,
  ): BroadcastResult {
    const message = this.#encoded ?? this.#prepare(members, encode, onFailure, except)
    const deliverable = message === undefined ? missedBy(members, except) : undefined
    const result = deliverable ?? deliverToAll(members, message!, limits, except, onFailure)
    counts.delivered += result.delivered
    counts.skipped += result.skipped
    return result
  }

  #prepare(
    members: Iterable<Member>,
    encode: HistorySettings['encode'],
    onFailure: Delivery['onFailure'],
    except: Exception,
  ): PreparedMessage | undefined {
    const plain = this.#plain
    const [receiver] = receiversOf(members, except)
    if (plain === undefined || receiver === undefined) return undefined
    this.#plain = undefined
    try {
      const { payload, isBinary, compress } = plain
      const data: unknown = encode(isBinary ? payload : payload.toString(), { ...this.position })
      // It is refused below. Its rejection would end the process.
      if (data instanceof Promise) data.catch(ignore)
      const bytes = toPayload(data)
      const isText = typeof data === 'string' || typeof data === 'number'
      this.#encoded = new PreparedMessage(bytes, !isText, compress)
    } catch (failure) {
      onFailure(failure, receiver)
    }
    return this.#encoded
  }
}

function* receiversOf(members: Iterable<Member>, except: Exception): Generator<Member> {
  const many = except instanceof Set ? (except as ReadonlySet<Member>) : undefined
  for (const member of members) if (member !== except && many?.has(member) !== true) yield member
}

function missedBy(members: Iterable<Member>, except: Exception): BroadcastResult {
  return { delivered: 0, skipped: [...receiversOf(members, except)].length }
}
