import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { Channels, keyOf } from './channels.js'
import { type Description, encodeBare, encodePositions, encodeQuery, encodeReply } from './control.js'
import { encodeRequest, type Query, type Question, type Request, type Sender } from './control.js'
import { Counters } from './counters.js'
import { BATCH_HEAD, Kind, NODE_ID_LENGTH, type RelayedMessage } from './envelope.js'
import type { Gap } from './gap.js'
import { Heartbeats } from './heartbeats.js'
import { ignore } from '../options/ignore.js'
import { Inbox } from './inbox.js'
import { Incoming } from './incoming.js'
import type { LocalGroups } from './local-groups.js'
import { Peers } from './peers.js'
import { Probe } from './probe.js'
import { type Done, Publisher } from './publisher.js'
import { Receiver } from './receiver.js'
import { Recovery } from './recovery.js'
import { type Relay, type RelayConnection, type RelaySettings, toRelaySettings } from './relay.js'
import { type Answers, Requests } from './requests.js'
import { type Subscription, Subscriptions } from './subscriptions.js'

/** Milliseconds for which `close` waits for unanswered messages. */
const CLOSE_TIMEOUT = 2000

/** Statistics and the state of a hub's relay. */
export interface RelayStats {
  /** Whether messages are exchanged with other nodes. */
  connected: boolean
  /** Other nodes that are known. */
  nodes: number
  /** Messages sent to the broker. */
  published: number
  /** Messages that stayed local, while disconnected or because the broker was too slow. */
  dropped: number
  /** Messages that came from other nodes or programs. */
  received: number
  /** Messages from the broker that were refused: malformed, too long, or of another version. */
  refused: number
  /** `'gap'` events. */
  gaps: number
}

/** One hub among those that share a broker and a prefix. */
export class RelayNode {
  /** The id by which other nodes know this one. */
  readonly id: string = randomBytes(NODE_ID_LENGTH).toString('hex')
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
  readonly #ready: Promise<void>
  #becomeReady!: () => void
  #failReady!: (error: Error) => void

  constructor(relay: Relay, local: LocalGroups, onGap: (gap: Gap) => void) {
    this.#relay = relay
    this.#local = local
    this.#onGap = onGap
    this.#settings = toRelaySettings(relay.options)
    const { prefix, plain, heartbeatInterval, unsubscribeDelay } = this.#settings
    const channels = (this.#channels = new Channels(prefix))
    const report = (gap: Gap): void => {
      this.#gaps++
      this.#onGap(gap)
    }
    this.#inbox = new Inbox(BATCH_HEAD, (channel, payload, isCut) => {
      if (!this.#probe.take(channel, payload)) this.#incoming.take(channel, payload, isCut)
    })
    this.#publisher = new Publisher(this.id, relay, channels, this.#counters)
    this.#heartbeats = new Heartbeats(relay, channels, this.#counters)
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
    })
    this.#peers = new Peers(heartbeatInterval, (peer) => {
      this.#subscriptions.forget(peer)
      this.#recovery.forgotten(peer)
    })
    const peers = this.#peers
    this.#recovery = new Recovery({
      peers,
      timeout: this.#settings.recoveryTimeout,
      send: (query, peer) => this.#sendQuery(query, peer?.id),
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
    this.#incoming = this.#receiveBy(report)
    this.#ready = new Promise((resolve, reject) => {
      this.#becomeReady = resolve
      this.#failReady = reject
    })
    this.#ready.catch(ignore)
    this.#timer = setInterval(() => this.#tick(), heartbeatInterval).unref()
    relay.open({
      connection: (state) => this.#changed(state),
      message: (channel, payload) => this.#inbox.push(channel, payload),
      misconfigured: (error) => this.#failReady(error),
    })
  }

  /** Settles at the first connection to the broker. */
  get ready(): Promise<void> {
    return this.#ready
  }

  /** The longest message that can be relayed, in bytes. */
  get maxPayload(): number {
    return this.#settings.maxPayload
  }

  /** A group has got its first member. */
  joined(name: string): void {
    if (this.#closing === undefined) this.#subscriptions.add(name)
  }

  /** A group has lost its last member. */
  left(name: string): void {
    if (this.#closing === undefined) this.#subscriptions.remove(name)
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

  get #sender(): Sender {
    return { id: this.id, epoch: this.#counters.epoch }
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
      answerQuery: (node, { recovery, part, keys }) => {
        const tops = keys.map((key) => this.#counters.topOf(key))
        this.#send(channels.node(node), encodePositions(this.#sender, { recovery, part, tops }))
      },
      answerRequest: (node, id, count) => {
        const reply = encodeReply(this.#sender, { id, count, description: this.describe() })
        this.#send(channels.node(node), reply)
      },
    })
  }

  #changed(state: RelayConnection): void {
    if (this.#closing !== undefined) return
    const before = this.#connection
    this.#connection = state
    if (before.canPublish && !state.canPublish) {
      this.#heartbeats.giveUp()
      this.#publisher.disconnected()
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
    this.#recovery.begin()
    // The others learn of this node, and this node of them.
    void this.ask({ ask: 'describe' }).then(this.#becomeReady)
  }

  #tick(): void {
    const now = performance.now()
    this.#peers.sweep()
    this.#publisher.sweep(now)
    this.#subscriptions.sweep(now)
    this.#beat()
  }

  #beat(): void {
    if (this.#publisher.isConnected) this.#heartbeats.beat(this.#sender)
  }

  #sendQuery(query: Query, node: string | undefined): void {
    const channel = node === undefined ? this.#channels.nodes : this.#channels.node(node)
    this.#send(channel, encodeQuery(this.#sender, query))
  }

  #sendRequest(request: Request): Promise<number | undefined> {
    if (!this.#publisher.isConnected) return Promise.reject(new Error('The relay is not connected'))
    return this.#relay.publish(this.#channels.nodes, encodeRequest(this.#sender, request))
  }

  #send(channel: string, bytes: Buffer): void {
    if (this.#publisher.isConnected) this.#relay.publish(channel, bytes).catch(ignore)
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer)
    this.#publisher.flush()
    if (this.#publisher.isConnected) {
      await limited(this.#publisher.answered())
      // Whoever has received less than this says so.
      this.#heartbeats.giveUp()
      this.#beat()
      await limited(this.#relay.publish(this.#channels.nodes, encodeBare(Kind.bye, this.#sender)))
    }
    this.#probe.end()
    this.#isUp = false
    this.#recovery.close()
    this.#requests.finishAll()
    this.#inbox.clear()
    const error = new Error('The hub was closed')
    this.#subscriptions.close(error)
    this.#failReady(error)
    this.#publisher.disconnected()
    await this.#relay.close()
  }
}

/** Waits until a promise settles, for a limited time. */
async function limited(promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, CLOSE_TIMEOUT)
  })
  await Promise.race([promise.catch(ignore), timeout])
  clearTimeout(timer)
}
