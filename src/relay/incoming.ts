import { isUtf8 } from 'node:buffer'
import type { Channels } from './channels.js'
import { decodeHeartbeat, decodePositions, decodeQuery, decodeReply, decodeRequest } from './control.js'
import type { Query, Request } from './control.js'
import { decodeBatch, type Header, Kind, readBatchHead, readHeader, type RelayedMessage } from './envelope.js'
import type { Gap } from './gap.js'
import { isEntry, readEntry } from './history.js'
import type { LocalGroups } from './local-groups.js'
import type { Peer, Peers } from './peers.js'
import type { PresenceNode } from './presence-node.js'
import type { Receiver } from './receiver.js'
import type { Recovery } from './recovery.js'
import type { Requests } from './requests.js'
import type { Subscription, Subscriptions } from './subscriptions.js'

/** What the handling of incoming messages requires from its node. */
interface IncomingOptions {
  readonly id: string
  readonly channels: Channels
  readonly maxPayload: number
  readonly local: LocalGroups
  readonly report: (gap: Gap) => void
  readonly subscriptions: Subscriptions
  readonly peers: Peers
  readonly receiver: Receiver
  readonly recovery: Recovery
  readonly requests: Requests
  readonly presence: PresenceNode
  readonly answerQuery: (node: string, query: Query) => void
  readonly answerRequest: (node: string, id: number, count: number) => void
}

/** Counts of messages from the broker. */
interface IncomingCounts {
  received: number
  refused: number
}

/** Checks messages from the broker, where anyone may publish anything, and passes them to their handlers. */
export class Incoming {
  readonly counts: IncomingCounts = { received: 0, refused: 0 }
  readonly #options: IncomingOptions
  readonly #groupPrefix: string
  readonly #plainPrefix: string

  constructor(options: IncomingOptions) {
    this.#options = options
    this.#groupPrefix = options.channels.group('')
    this.#plainPrefix = options.channels.plain('')
  }

  /** @param isCut - whether the payload is only the head of what arrived */
  take(channel: string, payload: Buffer, isCut: boolean): void {
    const { channels, subscriptions, id } = this.#options
    if (channel.startsWith(this.#groupPrefix)) {
      const subscription = subscriptions.find(channel.slice(this.#groupPrefix.length))
      if (subscription !== undefined) this.#fromGroup(subscription, payload, isCut)
    } else if (channel.startsWith(this.#plainPrefix)) {
      const subscription = subscriptions.find(channel.slice(this.#plainPrefix.length))
      if (subscription !== undefined) this.#plain(subscription, payload, isCut)
    } else if (channel === channels.nodes || channel === channels.node(id)) {
      const header = readHeader(payload)
      if (header === undefined) this.counts.refused++
      else if (header.node === id) this.#options.peers.heardSelf()
      else if (!this.#control(header, payload)) this.counts.refused++
    }
  }

  #fromGroup(subscription: Subscription, payload: Buffer, isCut: boolean): void {
    if (isEntry(payload)) {
      const entry = isCut ? undefined : readEntry(payload)
      if (entry !== undefined || isCut) this.#options.local.deliverEntry(subscription.name, entry)
      else this.counts.refused++
      return
    }
    const header = readHeader(payload)
    if (header?.kind !== Kind.presence) this.#batch(header, subscription, payload, isCut)
    // The next heartbeat tells of one that was cut.
    else if (!isCut && header.node !== this.#options.id) {
      const isSound = this.#options.presence.delta(subscription.key, () => this.#peer(header), payload)
      if (!isSound) this.counts.refused++
    }
  }

  #batch(header: Header | undefined, subscription: Subscription, payload: Buffer, isCut: boolean): void {
    const batch = isCut ? readBatchHead(payload) : decodeBatch(payload)
    if (header?.kind !== Kind.batch || batch === undefined) {
      this.counts.refused++
      return
    }
    // This node's own message, which its members have already received.
    if (header.node === this.#options.id) return
    const seen = this.#options.receiver.batch(subscription, this.#peer(header), batch, isCut)
    for (let index = seen; index < batch.messages.length; index++) {
      this.#deliver(subscription, batch.messages[index]!)
    }
  }

  #plain(subscription: Subscription, payload: Buffer, isCut: boolean): void {
    if (isCut) {
      this.#options.report({ cause: 'overrun', groups: [subscription.name], node: undefined, missed: 1 })
    } else this.#deliver(subscription, { payload, isBinary: false, compress: true })
  }

  #deliver({ name }: Subscription, message: RelayedMessage): void {
    const { payload, isBinary } = message
    if (payload.length > this.#options.maxPayload || (!isBinary && !isUtf8(payload))) {
      this.counts.refused++
      return
    }
    this.counts.received++
    this.#options.local.deliver(name, message)
  }

  /** Returns `false` for a malformed or unknown message. */
  #control(header: Header, payload: Buffer): boolean {
    const { receiver, recovery, requests, presence, answerQuery, answerRequest } = this.#options
    const { node, kind } = header
    switch (kind) {
      case Kind.heartbeat: {
        const part = decodeHeartbeat(payload)
        if (part === undefined) return false
        const peer = this.#peer(header)
        receiver.heartbeat(peer, part)
        presence.heartbeat(peer, part)
        return true
      }
      case Kind.bye:
        this.#options.peers.forget(node)
        return true
      case Kind.query: {
        const query = decodeQuery(payload)
        if (query !== undefined) answerQuery(this.#peer(header).id, query)
        return query !== undefined
      }
      case Kind.positions: {
        const positions = decodePositions(payload)
        if (positions !== undefined) recovery.answered(this.#peer(header), positions)
        return positions !== undefined
      }
      case Kind.request: {
        const request = decodeRequest(payload)
        if (request === undefined) return false
        // A node describes itself to the others, and asks them, when it has connected.
        if (request.question.ask === 'describe') recovery.returned(this.#peer(header))
        const count = this.#answer(node, request)
        if (count !== undefined) answerRequest(node, request.id, count)
        return count !== undefined
      }
      case Kind.reply: {
        const reply = decodeReply(payload)
        if (reply !== undefined) requests.answered(this.#peer(header).id, reply)
        return reply !== undefined
      }
      default:
        return presence.take(header, () => this.#peer(header), payload)
    }
  }

  #answer(node: string, { id, question }: Request): number | undefined {
    const { local, subscriptions, presence } = this.#options
    if (question.ask === 'describe') return 0
    if (question.ask === 'members') return presence.publisher.list(node, id, question.key)
    const name = subscriptions.find(question.key)?.name
    if (name === undefined) return 0
    if (question.ask === 'count') return local.size(name)
    try {
      return local.close(name, question.code === 0 ? undefined : question.code, question.reason)
    } catch {
      // A code or a reason that may not be sent.
      return undefined
    }
  }

  #peer({ node, epoch }: Header): Peer {
    const peer = this.#options.peers.heard(node, epoch)
    this.#options.receiver.epoch(peer, epoch)
    return peer
  }
}
