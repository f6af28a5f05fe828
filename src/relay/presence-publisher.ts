import { type Channels, keyOf } from './channels.js'
import type { SendingNode } from './control.js'
import type { HeartbeatEntry } from './counters.js'
import { Flag } from './envelope.js'
import { MAX_PEERS } from './peers.js'
import type { LocalPresence, Presence } from './presence.js'
import {
  encodeDelta,
  encodeList,
  encodeState,
  type PresenceQuery,
  RecordPacker,
  splitChanges,
  splitMembers,
} from './presence-envelopes.js'

/** Bytes of members in an envelope. */
const MAX_ENVELOPE = 64 * 1024
/** Bytes after which an answer ends, and the other node asks for the rest. One group is not divided. */
const MAX_ANSWER = 1024 * 1024
/** What may be unanswered by the broker. Changes beyond that are not sent: the next heartbeat tells of them. */
const MAX_UNANSWERED = 1024
const MAX_UNANSWERED_BYTES = 8 * 1024 * 1024

/** What publishing the presence of this node requires from it. */
interface PresencePublisherOptions {
  readonly channels: Channels
  readonly local: LocalPresence
  readonly maxPayload: number
  readonly sender: () => SendingNode
  /** Publishes bytes. `undefined` while the broker cannot be reached. */
  readonly send: (channel: string, bytes: Buffer) => Promise<unknown> | undefined
}

/** A group of which other nodes may know that members of this one are present. */
interface Published {
  readonly key: string
  readonly name: string
  /** Grows with each change. No two groups of this node ever have the same one. */
  version: number
  /** The present members. */
  count: number
  /** Whether anything was sent. */
  isKnown: boolean
}

/** Publishes who is present at this node: changes as they occur, the versions in heartbeats, and answers to queries. */
export class PresencePublisher {
  readonly #options: PresencePublisherOptions
  readonly #limit: number
  readonly #groups = new Map<string, Published>()
  /** Those changed since the last heartbeat that the broker has taken. */
  readonly #touched = new Set<Published>()
  /** The queries that wait for an answer, by node. A node asks one at a time. */
  readonly #queries = new Map<string, PresenceQuery>()
  #answering: symbol | undefined
  #version = 0
  readonly #unanswered = new Set<{ readonly length: number }>()
  #unansweredBytes = 0

  constructor(options: PresencePublisherOptions) {
    this.#options = options
    this.#limit = Math.min(MAX_ENVELOPE, options.maxPayload)
  }

  /** @param count - how many are present now */
  publish(name: string, joined: readonly Presence[], left: readonly number[], count: number): void {
    const { channels, sender } = this.#options
    const key = keyOf(name)
    const group = this.#groups.get(key) ?? { key, name, version: 0, count: 0, isKnown: false }
    this.#groups.set(key, group)
    this.#touched.add(group)
    let previous = group.count === 0 ? 0 : group.version
    for (const change of splitChanges(joined, left, this.#limit)) {
      const version = (this.#version += change.joined.length + change.left.length)
      const bytes = encodeDelta(sender(), { previous, version, ...change })
      if (!this.#isBusy && this.#send(channels.group(key), bytes) !== undefined) group.isKnown = true
      previous = version
    }
    group.version = previous
    group.count = count
    // Nobody has heard of it.
    if (count === 0 && !group.isKnown) this.#drop(group)
  }

  /** The groups for the next heartbeat: how many are present, and the version. */
  entries(): HeartbeatEntry[] {
    return Array.from(this.#touched, ({ key, count, version }) => ({
      key,
      base: count,
      top: version,
      flags: Flag.presence,
    }))
  }

  /** The broker has taken a heartbeat with these entries. */
  taken(entries: readonly HeartbeatEntry[]): void {
    for (const { key, top } of entries) {
      const group = this.#groups.get(key)
      if (group?.version !== top) continue
      this.#touched.delete(group)
      if (group.count === 0) this.#drop(group)
      else group.isKnown = true
    }
  }

  /** Answers a query of a node, one node after the other. */
  answer(node: string, query: PresenceQuery): void {
    if (this.#queries.size >= MAX_PEERS && !this.#queries.has(node)) return
    this.#queries.set(node, query)
    if (this.#answering === undefined) void this.#answerAll()
  }

  /** Sends the members of a group to a node that has requested them. Returns their number. */
  list(node: string, id: number, key: string): number {
    const { channels, local, sender } = this.#options
    const group = this.#groups.get(key)
    if (group === undefined) return 0
    // What is not sent is missed by that node, which counts.
    if (this.#isBusy) return group.count
    for (const members of splitMembers(local.present(group.name), this.#limit)) {
      void this.#send(channels.node(node), encodeList(sender(), { id, members }))
    }
    return group.count
  }

  /** What is unanswered may be lost. The versions of the next heartbeat tell. */
  disconnected(): void {
    this.#unanswered.clear()
    this.#unansweredBytes = 0
    this.#queries.clear()
    this.#answering = undefined
  }

  get #isBusy(): boolean {
    return this.#unanswered.size >= MAX_UNANSWERED || this.#unansweredBytes >= MAX_UNANSWERED_BYTES
  }

  async #answerAll(): Promise<void> {
    const mark = (this.#answering = Symbol())
    for (const [node, query] of this.#queries) {
      this.#queries.delete(node)
      // Whoever gets no answer asks again.
      if (this.#isBusy) continue
      await this.#answer(node, query)
      if (this.#answering !== mark) return
    }
    this.#answering = undefined
  }

  /** Settles when the broker has taken the answer. */
  async #answer(node: string, { number, groups }: PresenceQuery): Promise<void> {
    const { channels, local, sender } = this.#options
    const packer = new RecordPacker(this.#limit)
    let covered = 0
    while (covered < groups.length && packer.length < MAX_ANSWER) {
      const { key, version } = groups[covered]!
      const group = this.#groups.get(key)
      const current = group === undefined || group.count === 0 ? 0 : group.version
      if (group !== undefined && current !== 0 && current !== version) {
        packer.add(covered, current, [...local.present(group.name)])
        group.isKnown = true
      } else if (current !== version) packer.add(covered, 0, [])
      covered++
    }
    const last = packer.parts.length - 1
    const sent = packer.parts.map(async (records, part) => {
      const state = { number, part, covered: part === last ? covered : 0, records }
      await this.#send(channels.node(node), encodeState(sender(), state))
    })
    await Promise.all(sent)
  }

  #send(channel: string, bytes: Buffer): Promise<unknown> | undefined {
    const sent = this.#options.send(channel, bytes)
    if (sent === undefined) return undefined
    const unanswered = { length: bytes.length }
    this.#unanswered.add(unanswered)
    this.#unansweredBytes += bytes.length
    const settled = (): void => {
      if (this.#unanswered.delete(unanswered)) this.#unansweredBytes -= bytes.length
    }
    return sent.then(settled, settled)
  }

  #drop(group: Published): void {
    this.#groups.delete(group.key)
    this.#touched.delete(group)
  }
}
