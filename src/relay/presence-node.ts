import { type Channels, keyOf } from './channels.js'
import { encodePresenceQuery } from './presence-envelopes.js'
import { decodeDelta, decodeList, decodePresenceQuery, decodeState } from './presence-envelopes.js'
import type { HeartbeatPart, SendingNode } from './control.js'
import { type Header, Kind } from './envelope.js'
import type { Peer, Peers } from './peers.js'
import type { LocalPresence, Presence, RemotePresence, RemotePresences } from './presence.js'
import { PresenceFollower } from './presence-follower.js'
import { PresencePublisher } from './presence-publisher.js'
import type { Requests } from './requests.js'
import type { Subscriptions } from './subscriptions.js'

/** What the presence of members requires from its node. */
interface PresenceNodeOptions {
  readonly channels: Channels
  readonly local: LocalPresence
  readonly settings: { readonly maxPayload: number; readonly requestTimeout: number }
  readonly peers: Peers
  readonly subscriptions: Subscriptions
  readonly requests: Requests
  readonly sender: () => SendingNode
  /** Publishes bytes. `undefined` while the broker cannot be reached. */
  readonly send: (channel: string, bytes: Buffer) => Promise<unknown> | undefined
}

/** Who is present in groups, here and at other nodes. A node that does not use it follows nothing. */
export class PresenceNode {
  readonly publisher: PresencePublisher
  readonly follower: PresenceFollower
  readonly #options: PresenceNodeOptions
  #isUsed = false
  #isClosed = false

  constructor(options: PresenceNodeOptions) {
    const { channels, local, peers, settings, sender, send } = options
    this.#options = options
    this.publisher = new PresencePublisher({ ...options, maxPayload: settings.maxPayload })
    this.follower = new PresenceFollower({
      peers,
      timeout: settings.requestTimeout,
      send: (node, query) => void send(channels.node(node), encodePresenceQuery(sender(), query)),
      changed: (name, changes) => local.changed(name, changes),
    })
  }

  /** Members of this node came to a group, or left it. `count` are present now. */
  publish(name: string, joined: readonly Presence[], left: readonly number[], count: number): void {
    if (this.#isClosed) return
    this.#use()
    this.publisher.publish(name, joined, left, count)
  }

  /** The members of a group at other nodes. */
  async members(name: string): Promise<RemotePresences> {
    if (this.#isClosed) return { members: [], missing: [] }
    this.#use()
    const view = this.follower.find(keyOf(name))
    return view === undefined ? await this.#request(name) : await this.follower.members(view)
  }

  /** A group has got its first member. */
  joined(name: string): void {
    if (this.#isUsed) this.#follow(name)
    else if (this.#options.local.isObserved()) this.#use()
  }

  /** A group has lost its last member. */
  left(name: string): void {
    this.follower.unfollow(keyOf(name))
  }

  tick(): void {
    if (this.#options.local.isObserved()) this.#use()
    this.follower.tick()
  }

  heartbeat(peer: Peer, part: HeartbeatPart): void {
    this.follower.heartbeat(peer, part)
  }

  /** Takes changes of a group. Returns `false` if they are malformed. */
  delta(key: string, peer: () => Peer, payload: Buffer): boolean {
    if (this.follower.find(key) === undefined) return true
    const delta = decodeDelta(payload)
    if (delta !== undefined) this.follower.delta(key, peer(), delta)
    return delta !== undefined
  }

  /** Takes what a node sends to this one. Returns `false` if it is malformed or unknown. */
  take({ kind }: Header, peer: () => Peer, payload: Buffer): boolean {
    // A node that has said that it leaves answers nothing.
    if (this.#isClosed) return true
    if (kind === Kind.presenceQuery) {
      const query = decodePresenceQuery(payload)
      if (query !== undefined) this.publisher.answer(peer().id, query)
      return query !== undefined
    }
    if (kind === Kind.presenceState) {
      const state = decodeState(payload)
      return state !== undefined && this.follower.state(peer(), state)
    }
    const list = kind === Kind.presenceList ? decodeList(payload) : undefined
    if (list !== undefined) this.#options.requests.listed(peer().id, list)
    return list !== undefined
  }

  close(): void {
    this.#isClosed = true
    this.follower.close()
  }

  /** From now on, this node follows the groups that have members here. */
  #use(): void {
    if (this.#isUsed || this.#isClosed) return
    this.#isUsed = true
    for (const name of this.#options.local.groupNames()) this.#follow(name)
  }

  #follow(name: string): void {
    const key = keyOf(name)
    this.follower.follow(name, key)
    if (this.#options.subscriptions.isReady(key)) this.follower.ready(key)
  }

  /** Asks all nodes, for a group that has no members here. */
  async #request(name: string): Promise<RemotePresences> {
    const { replies, missing, lists } = await this.#options.requests.ask({ ask: 'members', key: keyOf(name) })
    const members: RemotePresence[] = []
    const incomplete: string[] = []
    for (const [node, { count }] of replies) {
      const list = lists.get(node) ?? []
      if (list.length === count) for (const { id, text } of list) members.push({ node, id, text })
      else incomplete.push(node)
    }
    return { members, missing: [...missing, ...incomplete] }
  }
}
