import { Channels, keyOf } from '../relay/channels.js'
import type { Gap, GapCause } from '../relay/gap.js'
import { checkPage, type HistoryEntry, type HistoryLimits, type HistoryPage } from '../relay/history.js'
import type { HistoryPosition, RelayHistory } from '../relay/history.js'
import { limited } from '../relay/limited.js'
import { type PartitionedRelay, type Relay, toRelaySettings } from '../relay/relay.js'
import type { PreparedMessage } from '../sending/prepared-message.js'
import type { Exception } from './broadcast.js'
import { Follower, type Following } from './follower.js'
import {
  ConnectionLost,
  Declarations,
  type GroupHistory,
  type Histories,
  type HistoryOptions,
} from './history.js'
import type { JoinResult } from './history.js'
import { HistoryPublisher } from './history-publisher.js'
import type { Member } from './member.js'
import type { PublishResult } from './publish-result.js'
import { RecentMessages } from './recent-messages.js'

/** Groups that are read in a turn of the event loop when the connection is back. */
const GROUPS_PER_TURN = 200

/** What histories require from their hub and its node. */
interface RelayedHistoriesOptions {
  readonly relay: Relay | PartitionedRelay
  readonly hub: Following['hub']
  /** The id of the node. */
  readonly id: () => string
  readonly ready: (name: string) => Promise<void>
  readonly report: (gap: Gap) => void
}

/** Counts of what histories have to do with the broker. */
interface HistoryCounts {
  received: number
  refused: number
  gaps: number
}

/** The histories of the groups of a hub with a relay. The broker keeps them, and its order is that of all processes. */
export class RelayedHistories implements Histories {
  readonly counts: HistoryCounts = { received: 0, refused: 0, gaps: 0 }
  readonly publisher: HistoryPublisher
  readonly #options: RelayedHistoriesOptions
  readonly #channels: Channels
  readonly #declarations = new Declarations()
  readonly #groups = new Map<string, GroupHistory>()
  readonly #followers = new Map<string, Follower>()
  readonly #following: Following
  /** Rejects the commands that the broker has not answered. */
  readonly #unanswered = new Set<(error: Error) => void>()
  readonly #warned = new Set<string>()
  #canPublish = false
  #isUp = false
  #closed: Error | undefined

  constructor(options: RelayedHistoriesOptions) {
    const { relay, hub, id, ready } = options
    const { prefix, maxPayload } = toRelaySettings(relay.options)
    this.#options = options
    this.#channels = new Channels(prefix)
    this.publisher = new HistoryPublisher({
      node: id,
      canPublish: () => this.#canPublish,
      append: (name, entries) =>
        this.#command((history) => history.append(this.#channelOf(name), entries, this.#limitsOf(name))),
      isAwaited: (name, position) => this.#isAwaited(name, position),
      late: (name) => this.#followers.get(name)?.refill('sequence'),
      refused: (error) => this.#warnOfRefusal(error),
    })
    this.#following = {
      hub,
      recent: new RecentMessages(),
      maxPayload,
      isUp: () => this.#isUp && this.#canPublish,
      ready,
      read: (name, after) => this.#read(name, after),
      missed: (name, cause, missed) => this.#missed(name, cause, missed),
      exceptionOf: (payload) => this.publisher.exceptionOf(payload),
      took: (name, position, payload, delivered, skipped) => {
        if (payload === undefined) this.counts.refused++
        else if (!this.publisher.delivered(payload, delivered, skipped)) this.counts.received++
        this.publisher.reached(name, position)
      },
      passed: (name, position) => this.publisher.release(name, position),
      refused: (error) => this.#warnOfRefusal(error),
    }
  }

  declare(name: string, options: HistoryOptions): void {
    if (this.#history === undefined) {
      throw new TypeError(
        'The relay of this hub keeps no history: use redisRelay() of hubwire/redis with a single server or Sentinel, ' +
          'your own relay with `history`, or, in a single process, a hub without a relay',
      )
    }
    const hasMembers = this.#options.hub.memberships.membersOf(name) !== undefined
    this.#declarations.add(name, options, hasMembers)
    if (this.#groups.has(name)) return
    this.#groups.set(name, {
      publish: (message, except) => this.#publish(name, message, except),
      join: (member, since) => this.#join(name, member, since),
    })
  }

  of(name: string): GroupHistory | undefined {
    return this.#groups.size === 0 ? undefined : this.#groups.get(name)
  }

  /** A group has got its first member. */
  joined(name: string): void {
    const settings = this.#declarations.get(name)
    if (settings === undefined || this.#closed !== undefined) return
    this.#followers.set(name, new Follower(name, settings, this.#following))
  }

  /** A group has lost its last member. */
  left(name: string): void {
    const follower = this.#followers.get(name)
    if (follower === undefined) return
    this.#followers.delete(name)
    follower.end()
    if (follower.position !== undefined)
      this.publisher.release(name, { ...follower.position, offset: Number.MAX_SAFE_INTEGER })
  }

  /** The state of the connection has changed. */
  changed(canPublish: boolean, isUp: boolean): void {
    if (this.#closed !== undefined && canPublish) return
    const wasUp = this.#following.isUp()
    if (this.#canPublish && !canPublish) {
      const error = new ConnectionLost()
      for (const reject of this.#unanswered) reject(error)
      this.#unanswered.clear()
      this.publisher.disconnected()
    }
    if (this.#isUp && !isUp) this.publisher.releaseAll()
    this.#canPublish = canPublish
    this.#isUp = isUp
    if (!wasUp && this.#following.isUp()) refillInTurns([...this.#followers.values()])
  }

  /**
   * Takes an entry that has arrived.
   *
   * @param entry - `undefined` when it was dropped, because too much waits
   */
  take(name: string, entry: HistoryEntry | undefined): void {
    const follower = this.#followers.get(name)
    if (follower === undefined && !this.#groups.has(name)) this.warnOfMismatch(name, false)
    else if (entry === undefined) follower?.refill('overrun')
    else follower?.take(entry)
  }

  /** Reads what groups with a history have missed. Returns the gap of the others, if there are any. */
  refill(gap: Gap): Gap | undefined {
    if (this.#followers.size === 0) return gap
    const groups = gap.groups.filter((name) => !this.#groups.has(name))
    if (groups.length === gap.groups.length) return gap
    for (const name of gap.groups) this.#followers.get(name)?.refill(gap.cause)
    return groups.length === 0 ? undefined : { ...gap, groups, missed: undefined }
  }

  /** A message came without a history to a group that has one here, or the other way round. */
  warnOfMismatch(name: string, hasHistory: boolean): void {
    this.counts.refused++
    this.#warnOnce(
      'HUBWIRE_HISTORY_MISMATCH',
      `A message for the group ${JSON.stringify(name)} was refused, because the group has ` +
        `${hasHistory ? 'a' : 'no'} history here, and ${hasHistory ? 'none' : 'one'} where it was published: ` +
        'call hub.group() with the same history in all processes',
    )
  }

  /** Appends what waits, and ends all joins. */
  async close(): Promise<void> {
    if (this.#canPublish) await limited(this.publisher.answered())
    const error = new Error('The hub was closed')
    this.#closed = error
    this.changed(false, false)
    for (const follower of this.#followers.values()) follower.end(error)
    this.#followers.clear()
  }

  #publish(name: string, message: PreparedMessage, except: Exception): Promise<PublishResult> {
    return this.publisher.publish(name, message, except)
  }

  async #join(name: string, member: Member, since: unknown): Promise<JoinResult> {
    if (this.#closed !== undefined) throw this.#closed
    this.#options.hub.memberships.add(name, member)
    const follower = this.#followers.get(name)
    if (follower === undefined || this.#options.hub.memberships.membersOf(name)?.has(member) !== true) {
      return { recovered: false, position: undefined }
    }
    return await follower.join(member, since)
  }

  async #read(name: string, after: number): Promise<HistoryPage> {
    const page = checkPage(
      await this.#command((history) => history.read(this.#channelOf(name), after, this.#limitsOf(name))),
    )
    if (page.entries.length === 0 || page.first > after) return page
    throw new TypeError("The broker's reply is not the requested page of the history")
  }

  /** Gives a command, whose promise rejects when the connection is lost: a closed client may never answer. */
  #command<Result>(give: (history: RelayHistory) => Promise<Result>): Promise<Result> {
    const history = this.#history
    if (!this.#canPublish || history === undefined) return Promise.reject(new ConnectionLost())
    return new Promise((resolve, reject) => {
      this.#unanswered.add(reject)
      // A third-party relay may throw.
      void new Promise<Result>((settle) => settle(give(history)))
        .then(resolve, reject)
        .finally(() => this.#unanswered.delete(reject))
    })
  }

  #isAwaited(name: string, { epoch, offset }: HistoryPosition): boolean {
    if (!this.#following.isUp()) return false
    const follower = this.#followers.get(name)
    if (follower === undefined) return false
    const { position } = follower
    return position?.epoch !== epoch || position.offset < offset
  }

  #limitsOf(name: string): HistoryLimits {
    const { size, ttl } = this.#declarations.get(name)!
    return { size, ttl, seen: this.#followers.get(name)?.position }
  }

  #channelOf(name: string): string {
    return this.#channels.group(keyOf(name))
  }

  get #history(): RelayHistory | undefined {
    const { relay } = this.#options
    return 'partitions' in relay ? undefined : relay.history
  }

  /** Reports it in front of the messages that follow, so that no client takes them for the next ones. */
  #missed(name: string, cause: GapCause, missed: number | undefined): void {
    this.counts.gaps++
    this.#options.report({ cause, groups: [name], node: undefined, missed })
  }

  #warnOfRefusal(error: Error): void {
    this.#warnOnce('HUBWIRE_HISTORY_REFUSED', `A history cannot be used: ${error.message}`, error.stack)
  }

  #warnOnce(code: string, message: string, detail?: string): void {
    if (this.#warned.has(code)) return
    this.#warned.add(code)
    process.emitWarning(message, { type: 'HubwireWarning', code, ...(detail !== undefined && { detail }) })
  }
}

/** 100,000 groups at once would hold the event loop. */
function refillInTurns(followers: readonly Follower[]): void {
  for (const follower of followers.slice(0, GROUPS_PER_TURN)) follower.refill('connection')
  if (followers.length > GROUPS_PER_TURN) setImmediate(() => refillInTurns(followers.slice(GROUPS_PER_TURN)))
}
