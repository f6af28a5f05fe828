import { hostname } from 'node:os'
import { Channels, keyOf } from './channels.js'
import { type Description, encodeBare, encodePositions, encodeQuery, encodeReply } from './control.js'
import { encodeRequest, type Question, type Request, type SendingNode } from './control.js'
import { Counters } from './counters.js'
import { Deferred } from './deferred.js'
import { BATCH_HEAD, Kind, type RelayedMessage } from './envelope.js'
import type { Gap } from './gap.js'
import { Heartbeats } from './heartbeats.js'
import { ignore } from '../options/ignore.js'
import { Inbox } from './inbox.js'
import { Incoming } from './incoming.js'
import { limited } from './limited.js'
import type { LocalGroups } from './local-groups.js'
import { type Peer, Peers } from './peers.js'
import type { LocalPresence } from './presence.js'
import { PresenceNode } from './presence-node.js'
import { Probe } from './probe.js'
import { type Done, Publisher } from './publisher.js'
import { Receiver } from './receiver.js'
import { Recovery } from './recovery.js'
import { type Relay, type RelayConnection, type RelaySettings, toRelaySettings } from './relay.js'
import type { RelayStats } from './relay-stats.js'
import { type Answers, Requests } from './requests.js'
import { type Subscription, Subscriptions } from './subscriptions.js'

/** One hub among those that share a broker and a prefix. */
export class RelayNode {
  /** Who is present in groups. */
  readonly presence: PresenceNode
  readonly #relay: Relay
  readonly #local: LocalGroups
  readonly #settings: RelaySettings
  readonly #channels: Channels
  readonly #counters = new Counters()
  readonly #publisher: Publisher
  readonly #heartbeats: Heartbeats
  readonly #probe: Probe
  readonly #subscriptions: Subscriptions
  readonly #receiver: Receiver
  readonly #recovery: Recovery
  readonly #requests: Requests
  readonly #peers: Peers
  readonly #incoming: Incoming
  readonly #inbox: Inbox
  readonly #timer: NodeJS.Timeout
  readonly #onGap: (gap: Gap) => void
  #gaps = 0
  #connection: RelayConnection = { canPublish: false, canReceive: false }
  #hasBaseChannels = false
  #isUp = false
  #closing: Promise<void> | undefined
  readonly #ready = new Deferred()

  constructor(relay: Relay, local: LocalGroups, present: LocalPresence, onGap: (gap: Gap) => void) {
    this.#relay = relay
    this.#local = local
    this.#onGap = onGap
    this.#settings = toRelaySettings(relay.options)
    const { prefix, plain, heartbeatInterval, unsubscribeDelay } = this.#settings
    const channels = (this.#channels = new Channels(prefix))
    const report = (gap: Gap): void => this.#report(gap)
    this.#inbox = new Inbox(BATCH_HEAD, (channel, payload, isCut) => {
      if (!this.#probe.take(channel, payload)) this.#incoming.take(channel, payload, isCut)
    })
    this.#publisher = new Publisher(this.id, relay, channels, this.#counters)
    this.#probe = new Probe({
      relay,
      channels,
      sender: () => this.#sender,
      onHeard: () => this.#heardItself(),
      onTimeout: () => this.#probeAgain(),
    })
    this.#subscriptions = new Subscriptions({
      relay,
      channels,
      plain,
      unsubscribeDelay,
      inOrder: (action) => this.#inbox.inOrder(action),
      now: () => this.#receiver.now,
      onReady: (key) => this.presence.follower.ready(key),
    })
    const forget = (peer: Peer): void => {
      this.#subscriptions.forget(peer)
      this.#recovery.forgotten(peer)
      this.presence.follower.forget(peer)
    }
    const peers = new Peers(heartbeatInterval, forget, (peer) => this.presence.follower.appeared(peer))
    this.#peers = peers
    this.#recovery = new Recovery({
      peers,
      timeout: this.#settings.recoveryTimeout,
      send: (query, peer) => void this.#send(channels.to(peer?.id), encodeQuery(this.#sender, query)),
      report,
    })
    this.#receiver = new Receiver({
      subscriptions: this.#subscriptions,
      report,
      recover: (subscription, missed) => this.#recovery.moved(subscription, missed),
      suspect: (peer) => this.#recovery.suspect(peer, this.#groupsWithMembers()),
    })
    this.#requests = new Requests({
      peers,
      timeout: this.#settings.requestTimeout,
      send: (request) => this.#sendRequest(request),
    })
    this.presence = this.#presenceOf(present)
    this.#heartbeats = new Heartbeats(relay, channels, this.#counters, this.presence.publisher)
    this.#incoming = this.#receiveBy(report)
    this.#timer = setInterval(() => this.#tick(), heartbeatInterval).unref()
    relay.open({
      connection: (state) => this.#changed(state),
      message: (channel, payload) => this.#inbox.push(channel, payload),
      misconfigured: (error) => this.#ready.reject(error),
    })
  }

  /** The id by which other nodes know this one. */
  get id(): string {
    return this.#local.id
  }

  /** Settles at the first connection to the broker. */
  get ready(): Promise<void> {
    return this.#ready.promise
  }

  /** The longest message that can be relayed, in bytes. */
  get maxPayload(): number {
    return this.#settings.maxPayload
  }

  /** A group has got its first member. */
  joined(name: string): void {
    if (this.#closing !== undefined) return
    this.#subscriptions.add(name)
    this.presence.joined(name)
  }

  /** A group has lost its last member. */
  left(name: string): void {
    if (this.#closing !== undefined) return
    this.#subscriptions.remove(name)
    this.presence.left(name)
  }

  groupReady(name: string): Promise<void> {
    return this.#subscriptions.ready(name)
  }

  publish(name: string, message: RelayedMessage, done?: Done): void {
    this.#publisher.publish(keyOf(name), message, done)
  }

  ask(question: Question): Promise<Answers> {
    return this.#requests.ask(question)
  }

  describe(): Description {
    return { host: hostname(), pid: process.pid, ...this.#local.counts() }
  }

  stats(): RelayStats {
    return {
      connected: this.#isUp,
      nodes: this.#peers.size,
      ...this.#publisher.counts,
      ...this.#incoming.counts,
      gaps: this.#gaps,
    }
  }

  /** Publishes everything collected, announces that the node leaves, and ends the connection. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  get #sender(): SendingNode {
    return { id: this.id, epoch: this.#counters.epoch }
  }

  #presenceOf(local: LocalPresence): PresenceNode {
    return new PresenceNode({
      channels: this.#channels,
      local,
      settings: this.#settings,
      peers: this.#peers,
      subscriptions: this.#subscriptions,
      requests: this.#requests,
      sender: () => this.#sender,
      send: (channel, bytes) => this.#send(channel, bytes),
    })
  }

  #receiveBy(report: (gap: Gap) => void): Incoming {
    const channels = this.#channels
    return new Incoming({
      id: this.id,
      channels,
      maxPayload: this.#settings.maxPayload,
      local: this.#local,
      report,
      subscriptions: this.#subscriptions,
      peers: this.#peers,
      receiver: this.#receiver,
      recovery: this.#recovery,
      requests: this.#requests,
      presence: this.presence,
      answerQuery: (node, { recovery, part, keys }) => {
        const tops = keys.map((key) => this.#counters.topOf(key))
        void this.#send(channels.node(node), encodePositions(this.#sender, { recovery, part, tops }))
      },
      answerRequest: (node, id, count) => {
        const reply = encodeReply(this.#sender, { id, count, description: this.describe() })
        void this.#send(channels.node(node), reply)
      },
    })
  }

  #report(gap: Gap): void {
    const told = this.#local.refill(gap)
    if (told === undefined) return
    this.#gaps++
    this.#onGap(told)
  }

  #changed(state: RelayConnection): void {
    if (this.#closing !== undefined) return
    const before = this.#connection
    this.#connection = state
    if (before.canPublish && !state.canPublish) {
      this.#heartbeats.giveUp()
      this.#publisher.disconnected()
      this.presence.publisher.disconnected()
    }
    if (before.canReceive && !state.canReceive) this.#stopReceiving()
    if (!before.canPublish && state.canPublish) {
      this.#publisher.connected()
      // In front of all messages of this connection, so that numbers of an older one are known as such.
      this.#beat()
    }
    if (!before.canReceive && state.canReceive) {
      if (!this.#hasBaseChannels) this.#subscribeBaseChannels()
      this.#subscriptions.connected()
    }
    if (!state.canPublish || !state.canReceive) this.#probe.end()
    else if (!this.#isUp) this.#subscriptions.whenSent(() => this.#beginProbe())
    this.#local.connectionChanged(state.canPublish, this.#isUp)
  }

  #subscribeBaseChannels(): void {
    const { nodes } = this.#channels
    this.#relay.subscribe([nodes, this.#channels.node(this.id)]).then(() => {
      this.#hasBaseChannels = true
    }, ignore)
  }

  #groupsWithMembers(): Subscription[] {
    return [...this.#subscriptions].filter(({ state, hasMembers }) => state === 'subscribed' && hasMembers)
  }

  #stopReceiving(): void {
    this.#recovery.lost(this.#groupsWithMembers())
    this.#subscriptions.disconnected()
    this.presence.follower.disconnected()
    this.#isUp = false
  }

  /** Publishes to a new private channel that is subscribed to last. When the message returns, everything is restored. */
  #beginProbe(): void {
    const { canPublish, canReceive } = this.#connection
    if (!this.#isUp && canPublish && canReceive && this.#closing === undefined) this.#probe.begin()
  }

  #probeAgain(): void {
    if (this.#connection.canReceive && !this.#hasBaseChannels) this.#subscribeBaseChannels()
    this.#beginProbe()
  }

  #heardItself(): void {
    if (!this.#hasBaseChannels) {
      this.#probeAgain()
      return
    }
    this.#isUp = true
    this.#subscriptions.up()
    this.presence.follower.up()
    this.#recovery.begin()
    this.#local.connectionChanged(true, true)
    // The others learn of this node, and this node of them.
    void this.ask({ ask: 'describe' }).then(this.#ready.resolve)
  }

  #tick(): void {
    const now = performance.now()
    this.#peers.sweep()
    this.#publisher.sweep(now)
    this.#subscriptions.sweep(now)
    this.presence.tick()
    this.#beat()
  }

  #beat(): void {
    if (this.#publisher.isConnected) this.#heartbeats.beat(this.#sender)
  }

  #sendRequest(request: Request): Promise<number | undefined> {
    if (!this.#publisher.isConnected) return Promise.reject(new Error('The relay is not connected'))
    return this.#relay.publish(this.#channels.nodes, encodeRequest(this.#sender, request))
  }

  /** `undefined` while the broker cannot be reached. */
  #send(channel: string, bytes: Buffer): Promise<unknown> | undefined {
    return this.#publisher.isConnected ? this.#relay.publish(channel, bytes).catch(ignore) : undefined
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer)
    this.presence.close()
    this.#publisher.flush()
    if (this.#publisher.isConnected) {
      await limited(this.#publisher.answered())
      // Whoever has received less than this says so.
      this.#heartbeats.giveUp()
      this.#beat()
      // For a node that hears of this one behind its farewell, it has come back.
      this.#publisher.disconnected()
      const bye = encodeBare(Kind.bye, this.#sender)
      await limited(this.#relay.publish(this.#channels.nodes, bye))
    }
    this.#probe.end()
    this.#isUp = false
    this.#recovery.close()
    this.#requests.finishAll()
    this.#inbox.clear()
    const error = new Error('The hub was closed')
    this.#subscriptions.close(error)
    this.#ready.reject(error)
    this.#publisher.disconnected()
    await this.#relay.close()
  }
}
