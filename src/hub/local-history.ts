import { MemoryHistory } from '../relay/memory-history.js'
import type { PreparedMessage } from '../sending/prepared-message.js'
import { Queue } from '../sending/queue.js'
import type { Exception } from './broadcast.js'
import {
  Declarations,
  type GroupHistory,
  type Histories,
  type HistoryOptions,
  type HistorySettings,
  type JoinResult,
  toPosition,
} from './history.js'
import { type Delivery, HistoryMessage } from './history-message.js'
import type { Member } from './member.js'
import type { Memberships } from './memberships.js'
import type { PublishResult } from './publish-result.js'

/** What a history requires from a hub without a relay. */
interface HistoryHub extends Delivery {
  readonly memberships: Memberships
}

/** The histories of a hub without a relay, in its memory. */
export class LocalHistories implements Histories {
  readonly #hub: HistoryHub
  readonly #declarations = new Declarations()
  readonly #groups = new Map<string, LocalHistory>()
  readonly #memory = new MemoryHistory<HistoryMessage>()

  constructor(hub: HistoryHub) {
    this.#hub = hub
  }

  declare(name: string, options: HistoryOptions): void {
    const hasMembers = this.#hub.memberships.membersOf(name) !== undefined
    const settings = this.#declarations.add(name, options, hasMembers)
    if (!this.#groups.has(name)) {
      this.#groups.set(name, new LocalHistory(name, settings, this.#hub, this.#memory))
    }
  }

  of(name: string): GroupHistory | undefined {
    return this.#groups.size === 0 ? undefined : this.#groups.get(name)
  }
}

interface Publication {
  readonly message: HistoryMessage
  readonly except: Exception
  readonly done: (result: PublishResult) => void
}

class LocalHistory implements GroupHistory {
  readonly #name: string
  readonly #settings: HistorySettings
  readonly #hub: HistoryHub
  readonly #memory: MemoryHistory<HistoryMessage>
  /** What is appended and not yet delivered, because a member published when it was delivered to. */
  readonly #queue = new Queue<Publication>()
  #isDelivering = false

  constructor(
    name: string,
    settings: HistorySettings,
    hub: HistoryHub,
    memory: MemoryHistory<HistoryMessage>,
  ) {
    this.#name = name
    this.#settings = settings
    this.#hub = hub
    this.#memory = memory
  }

  publish({ payload, isBinary, compress }: PreparedMessage, except: Exception): Promise<PublishResult> {
    return new Promise((done) => {
      const message = this.#memory.append(
        this.#name,
        this.#settings,
        (position) => new HistoryMessage(position, { payload, isBinary, compress }),
      )
      this.#queue.push({ message, except, done })
      if (!this.#isDelivering) this.#deliverQueue()
    })
  }

  join(member: Member, since: unknown): Promise<JoinResult> {
    const { memberships } = this.#hub
    const place = toPosition(since)
    const page = this.#memory.read(this.#name, place?.offset ?? Number.MAX_SAFE_INTEGER)
    const position = { epoch: page.epoch, offset: page.top - this.#queue.length }
    let recovered =
      place?.epoch === page.epoch && place.offset <= position.offset && place.offset + 1 >= page.first
    if (recovered) {
      const wasDelivering = this.#isDelivering
      this.#isDelivering = true
      for (const message of page.entries) {
        if (message.position.offset > position.offset) break
        const { delivered } = message.deliver([member], this.#settings, this.#hub, undefined)
        recovered &&= delivered === 1
      }
      this.#isDelivering = wasDelivering
    }
    memberships.add(this.#name, member)
    if (!this.#isDelivering) this.#deliverQueue()
    const isMember = memberships.membersOf(this.#name)?.has(member) === true
    return Promise.resolve(isMember ? { recovered, position } : { recovered: false, position: undefined })
  }

  #deliverQueue(): void {
    this.#isDelivering = true
    for (let next = this.#queue.first; next !== undefined; next = this.#queue.first) {
      const { message, except, done } = next
      const members = this.#hub.memberships.membersOf(this.#name) ?? []
      const result = message.deliver(members, this.#settings, this.#hub, except)
      this.#queue.shift()
      done({ ...result, relayed: false, position: message.position })
    }
    this.#isDelivering = false
  }
}
