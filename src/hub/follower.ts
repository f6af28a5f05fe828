import { toError } from '../options/thrown.js'
import type { GapCause } from '../relay/gap.js'
import { type HistoryEntry, type HistoryPage, type HistoryPosition } from '../relay/history.js'
import { decodePayload, type HistoryPayload } from '../relay/history-payload.js'
import type { Exception } from './broadcast.js'
import { ConnectionLost, type HistorySettings, type JoinResult } from './history.js'
import { type Delivery, HistoryMessage } from './history-message.js'
import { Join } from './join.js'
import type { Member } from './member.js'
import type { Memberships } from './memberships.js'
import type { Messages, RecentMessages } from './recent-messages.js'

/** Messages that are replayed in a turn of the event loop, so that other connections are served too. */
const REPLAYED_PER_TURN = 2000

/** What followers share. */
export interface Following {
  readonly hub: Delivery & { readonly memberships: Memberships }
  readonly recent: RecentMessages
  readonly maxPayload: number
  /** Whether histories can be read, and what is new arrives. */
  readonly isUp: () => boolean
  /** Resolves when what is new in a group arrives. */
  readonly ready: (name: string) => Promise<void>
  readonly read: (name: string, after: number) => Promise<HistoryPage>
  /** Members missed messages; `undefined` if it is not known how many. */
  readonly missed: (name: string, cause: GapCause, missed: number | undefined) => void
  /** The members whom a message of this node excludes. */
  readonly exceptionOf: (payload: HistoryPayload) => Exception
  /** A message was delivered here, or could not be read. */
  readonly took: (
    name: string,
    position: HistoryPosition,
    payload: HistoryPayload | undefined,
    delivered: number,
    skipped: number,
  ) => void
  /** Messages up to a position will not be delivered here any more. */
  readonly passed: (name: string, position: HistoryPosition) => void
  /** The broker refuses to read. */
  readonly refused: (error: Error) => void
}

/** A message, and who published it. */
class Received extends HistoryMessage {
  readonly payload: HistoryPayload | undefined

  constructor(position: HistoryPosition, payload: HistoryPayload | undefined) {
    super(position, payload)
    this.payload = payload
  }
}

/**
 * Follows the history of a group that has members here, and delivers its messages in the order of their offsets. What
 * does not arrive is read from the history, and so is what members missed before they came.
 */
export class Follower {
  readonly #name: string
  readonly #settings: HistorySettings
  readonly #shared: Following
  readonly #recent: Messages = new Map()
  readonly #joins = new Map<Member, Join>()
  /** Members that wait for their join, and for a moment those that a message excludes. */
  readonly #excluded = new Set<Member>()
  /** Members that have received more than the others, with the offset of their last message. */
  readonly #ahead = new Map<Member, number>()
  /** What all other members have got; `undefined` until the history has been read. */
  #position: HistoryPosition | undefined
  /** The last offset that has arrived. */
  #heard = 0
  /** Why messages may be missing. */
  #stale: GapCause | undefined = 'connection'
  #isRunning = false
  #isEnded = false

  constructor(name: string, settings: HistorySettings, shared: Following) {
    this.#name = name
    this.#settings = settings
    this.#shared = shared
    this.#run()
  }

  /** The last message that was delivered here. */
  get position(): HistoryPosition | undefined {
    return this.#position
  }

  /** Takes what has arrived, in the order of its arrival. */
  take({ position, bytes }: HistoryEntry): void {
    const { epoch, offset } = position
    if (this.#position === undefined) {
      this.#heard = Math.max(this.#heard, offset)
      if (this.#isRunning) return
      // The history could not be read.
      this.#position = { epoch, offset: offset - 1 }
    } else if (this.#position.epoch !== epoch) {
      this.refill('epoch')
      return
    } else if (offset <= this.#heard) {
      // The broker has lost data, or the message is forged.
      this.#shared.missed(this.#name, 'sequence', undefined)
      this.refill('sequence')
      return
    }
    this.#heard = Math.max(this.#heard, offset)
    if (offset <= this.#position.offset) return
    const message = this.#messageAt(epoch, offset, bytes)
    if (offset === this.#position.offset + 1) this.#advance(message)
    else this.refill('sequence')
  }

  /** Messages may be missing: reads them, as soon as that is possible. */
  refill(cause: GapCause): void {
    this.#stale ??= cause
    this.#run()
  }

  join(member: Member, since: unknown): Promise<JoinResult> {
    this.#joins.get(member)?.lose()
    const join = new Join(member, since, () => this.#lose(join))
    this.#joins.set(member, join)
    this.#excluded.add(member)
    this.#ahead.delete(member)
    this.#run()
    return join.result
  }

  /** The group has no members any more. */
  end(error?: Error): void {
    this.#isEnded = true
    this.#shared.recent.forget(this.#recent)
    for (const join of this.#joins.values()) {
      if (error === undefined) join.lose()
      else join.reject(error)
    }
    this.#joins.clear()
  }

  #run(): void {
    if (this.#isRunning || this.#isEnded) return
    void this.#catchUpAll()
  }

  async #catchUpAll(): Promise<void> {
    this.#isRunning = true
    while (!this.#isEnded && (this.#stale !== undefined || this.#joins.size > 0)) {
      const cause = this.#stale
      try {
        await this.#catchUp()
      } catch (error) {
        this.#stale ??= cause
        // The relay may report a lost connection a little later. This continues after the reconnection.
        await new Promise(setImmediate)
        if (!this.#shared.isUp()) break
        if (!(error instanceof ConnectionLost)) this.#fail(toError(error))
      }
    }
    this.#isRunning = false
  }

  /** Reads what is missing, for the members that were there and for those that come. */
  async #catchUp(): Promise<void> {
    const { read, ready } = this.#shared
    if (this.#position === undefined) {
      const { epoch, top } = await read(this.#name, Number.MAX_SAFE_INTEGER)
      this.#position = { epoch, offset: top }
    }
    await ready(this.#name)
    const joins = [...this.#joins.values()]
    let cause = this.#stale
    this.#stale = undefined
    let after = this.#lowest(joins)
    let isTold = false
    while (!this.#isEnded) {
      const heard = this.#heard
      const page = await read(this.#name, after)
      if (page.epoch === this.#position.epoch) {
        for (const join of joins) await this.#replay(join, page)
        if (this.#isEnded) return
        this.#goOn(page, cause, isTold)
        // What is removed between two pages is another gap.
        isTold = false
        if (page.first + page.entries.length > page.top) {
          this.#finish(joins, heard)
          return
        }
        after = page.first + page.entries.length - 1
      } else {
        cause ??= 'epoch'
        this.#begin(page.epoch, cause)
        isTold = true
        after = 0
      }
    }
  }

  /** The lowest offset after which a member or a join still needs messages. */
  #lowest(joins: readonly Join[]): number {
    const { epoch, offset } = this.#position!
    const needed = joins.map(
      ({ since, cursor }) => cursor ?? (since?.epoch === epoch ? since.offset : offset),
    )
    return Math.min(offset, ...needed)
  }

  /** The history is another one: the members have got nothing of it. */
  #begin(epoch: string, cause: GapCause): void {
    this.#position = { epoch, offset: 0 }
    this.#heard = 0
    this.#ahead.clear()
    for (const join of this.#joins.values()) join.cursor = undefined
    this.#shared.recent.forget(this.#recent)
    this.#shared.missed(this.#name, cause, undefined)
    this.#shared.passed(this.#name, this.#position)
  }

  async #replay(join: Join, { epoch, top, first, entries }: HistoryPage): Promise<void> {
    if (join.cursor === undefined) {
      const { since } = join
      join.isWhole = since?.epoch === epoch && since.offset <= top
      join.cursor = join.isWhole ? since!.offset : 0
    }
    let count = 0
    for (let index = 0; index < entries.length && join.isWhole && this.#isWaiting(join); index++) {
      const offset = first + index
      if (offset <= join.cursor) continue
      if (offset > join.cursor + 1) join.isWhole = false
      else this.#replayTo(join, this.#messageAt(epoch, offset, entries[index]!))
      if (++count % REPLAYED_PER_TURN === 0) await new Promise(setImmediate)
    }
    if (join.cursor + 1 < first && entries.length === 0) join.isWhole = false
  }

  #replayTo(join: Join, message: Received): void {
    const { delivered } = message.deliver([join.member], this.#settings, this.#shared.hub, undefined)
    join.cursor = message.position.offset
    if (delivered === 0) join.isWhole = false
  }

  /**
   * Delivers what follows in a page to the members that were there.
   *
   * @param cause - why messages may be missing; otherwise those in front of the page are still on their way
   * @param isTold - whether a gap has been reported for those in front of the first that members have got
   */
  #goOn({ epoch, first, entries }: HistoryPage, cause: GapCause | undefined, isTold: boolean): void {
    const { offset } = this.#position!
    if (first > offset + 1 && cause !== undefined) {
      this.#position = { epoch, offset: first - 1 }
      if (!isTold || offset > 0) this.#shared.missed(this.#name, cause, first - 1 - offset)
      this.#shared.passed(this.#name, this.#position)
    }
    for (let index = 0; index < entries.length; index++) {
      if (first + index === this.#position!.offset + 1) {
        this.#advance(this.#messageAt(epoch, first + index, entries[index]!))
      }
    }
    for (let next = this.#next(); next !== undefined; next = this.#next()) this.#advance(next)
  }

  /** @param heard - the last offset that had arrived before the last page was read */
  #finish(joins: readonly Join[], heard: number): void {
    const { offset } = this.#position!
    if (this.#heard > offset) {
      // A message is published when it is in the history: one that is not there is forged.
      if (this.#heard === heard) {
        this.#heard = offset
        this.#shared.recent.forget(this.#recent, offset)
      } else this.#stale ??= 'sequence'
    }
    for (const join of joins) if (this.#joins.get(join.member) === join) this.#admit(join)
  }

  /** Makes a member that has got all pages one of the others, which may have got more or less. */
  #admit(join: Join): void {
    const { epoch, offset } = this.#position!
    const { member } = join
    if (!this.#isMember(member)) {
      this.#lose(join)
      return
    }
    while (join.isWhole && join.cursor! < offset && this.#isWaiting(join)) {
      const next = this.#recent.get(join.cursor! + 1) as Received | undefined
      if (next !== undefined) this.#replayTo(join, next)
      else if (join.tryAgain()) return
      else join.isWhole = false
    }
    // Its `deliver` may have made it leave or begin again.
    if (this.#joins.get(member) !== join) return
    this.#joins.delete(member)
    this.#excluded.delete(member)
    if (join.cursor! > offset) this.#ahead.set(member, join.cursor!)
    join.resolve({ recovered: join.isWhole, position: { epoch, offset: Math.max(join.cursor!, offset) } })
  }

  /** Delivers a message to all members that are not behind it. */
  #advance(message: Received): void {
    const { hub, exceptionOf, took } = this.#shared
    const { payload, position } = message
    const except = payload === undefined ? undefined : exceptionOf(payload)
    const excepted = membersIn(except)
    for (const [member, offset] of this.#ahead) {
      if (offset >= position.offset) excepted.push(member)
      else this.#ahead.delete(member)
    }
    const added = excepted.filter((member) => !this.#excluded.has(member))
    for (const member of added) this.#excluded.add(member)
    const members = hub.memberships.membersOf(this.#name) ?? []
    const { delivered, skipped } = message.deliver(members, this.#settings, hub, this.#excluded)
    for (const member of added) if (!this.#joins.has(member)) this.#excluded.delete(member)
    this.#position = position
    took(this.#name, position, payload, delivered, skipped)
  }

  /** The broker refuses to read the history: the joins reject, and the members that were there may have missed messages. */
  #fail(error: Error): void {
    const { missed, refused, hub } = this.#shared
    if (this.#stale !== undefined && this.#position !== undefined) {
      missed(this.#name, this.#stale, undefined)
      this.#position = { ...this.#position, offset: Math.max(this.#position.offset, this.#heard) }
      this.#shared.passed(this.#name, this.#position)
    }
    this.#stale = undefined
    refused(error)
    const joins = [...this.#joins.values()]
    this.#joins.clear()
    for (const join of joins) {
      join.reject(error)
      this.#excluded.delete(join.member)
      hub.memberships.delete(this.#name, join.member)
    }
  }

  #lose(join: Join): void {
    if (this.#joins.get(join.member) !== join) return
    this.#joins.delete(join.member)
    this.#excluded.delete(join.member)
    join.lose()
  }

  /** Whether the member is still there, and has not begun again. */
  #isWaiting(join: Join): boolean {
    return this.#joins.get(join.member) === join && this.#isMember(join.member)
  }

  #isMember(member: Member): boolean {
    return this.#shared.hub.memberships.membersOf(this.#name)?.has(member) === true
  }

  #next(): Received | undefined {
    return this.#recent.get(this.#position!.offset + 1) as Received | undefined
  }

  #messageAt(epoch: string, offset: number, bytes: Buffer): Received {
    const known = this.#recent.get(offset) as Received | undefined
    if (known !== undefined) return known
    const message = new Received({ epoch, offset }, decodePayload(bytes, this.#shared.maxPayload))
    this.#shared.recent.add(this.#recent, message)
    return message
  }
}

function membersIn(except: Exception): Member[] {
  if (except === undefined) return []
  return except instanceof Set ? [...(except as ReadonlySet<Member>)] : [except as Member]
}
