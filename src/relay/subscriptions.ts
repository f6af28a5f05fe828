import { ignore } from '../options/ignore.js'
import { type Channels, keyOf } from './channels.js'
import type { Peer } from './peers.js'
import type { Relay } from './relay.js'

/** Groups in one command: 100,000 names in batches of 500 take 0.4 s, and the event loop is free in between. */
const BATCH = 500
/** The most groups that stay subscribed without members: a client may join and leave as many as it likes. */
const MAX_IDLE = 10_000
/** Milliseconds until a refused command is tried again. */
const RETRY_AFTER = 1000

/** What has been received from one node in a group. */
export interface Stream {
  /** The last sequence number. */
  seen: number
  /** The first one, until a heartbeat has shown that it is the right one. */
  from: number
}

/** A group that has members, had some not long ago, or is being subscribed to or unsubscribed from. */
export interface Subscription {
  readonly name: string
  readonly key: string
  hasMembers: boolean
  state: 'none' | 'waiting' | 'subscribing' | 'subscribed' | 'unsubscribing'
  /** When it was acknowledged. */
  since: number
  /** By node. Nothing is stored for a group without publishers. */
  streams: Map<Peer, Stream> | undefined
  /** The promises that wait for the group to be ready. */
  waiting: { resolve: () => void; reject: (error: Error) => void }[]
}

/** What subscriptions require from their node. */
interface SubscriptionsOptions {
  readonly relay: Relay
  readonly channels: Channels
  readonly plain: boolean
  readonly unsubscribeDelay: number
  /** Runs an action after the messages that have arrived so far. */
  readonly inOrder: (action: () => void) => void
  /** The time as counted by what arrives. */
  readonly now: () => number
  /** The messages of a group arrive from now on. */
  readonly onReady: (key: string) => void
}

/** Keeps the channels of the groups that have members subscribed, with one command at a time for each group. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions
  readonly #byKey = new Map<string, Subscription>()
  readonly #toSubscribe = new Set<Subscription>()
  /** Those without members, and since when. */
  readonly #idle = new Map<Subscription, number>()
  #isScheduled = false
  #canSubscribe = false
  #isUp = false
  /** Counts connections: answers that belong to an earlier one change nothing. */
  #connection = 0

  constructor(options: SubscriptionsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#byKey.size
  }

  [Symbol.iterator](): IterableIterator<Subscription> {
    return this.#byKey.values()
  }

  find(key: string): Subscription | undefined {
    return this.#byKey.get(key)
  }

  /** The group has got its first member. */
  add(name: string): void {
    const key = keyOf(name)
    let subscription = this.#byKey.get(key)
    if (subscription === undefined) {
      subscription = { name, key, hasMembers: true, state: 'none', since: 0, streams: undefined, waiting: [] }
      this.#byKey.set(key, subscription)
    }
    subscription.hasMembers = true
    this.#idle.delete(subscription)
    if (subscription.state === 'none') this.#enqueue(subscription)
  }

  /** The group has lost its last member. */
  remove(name: string): void {
    const subscription = this.#byKey.get(keyOf(name))
    if (subscription === undefined) return
    subscription.hasMembers = false
    for (const { resolve } of subscription.waiting.splice(0)) resolve()
    if (subscription.state === 'none' || subscription.state === 'waiting') this.#drop(subscription)
    else this.#becomeIdle(subscription)
  }

  /** Settles when the messages of other nodes arrive for the members of the group; at once when it has none. */
  ready(name: string): Promise<void> {
    const subscription = this.#byKey.get(keyOf(name))
    if (!subscription?.hasMembers || (this.#isUp && subscription.state === 'subscribed'))
      return Promise.resolve()
    const promise = new Promise<void>((resolve, reject) => subscription.waiting.push({ resolve, reject }))
    promise.catch(ignore)
    return promise
  }

  /** Whether the messages of other nodes arrive for the members of the group. */
  isReady(key: string): boolean {
    return this.#isUp && this.#byKey.get(key)?.state === 'subscribed'
  }

  /** Messages arrive. The relay restores existing subscriptions, and the rest follows in batches. */
  connected(): void {
    this.#canSubscribe = true
    for (const subscription of this.#byKey.values())
      if (subscription.state === 'none') this.#enqueue(subscription)
  }

  /** Calls `then` when everything that is pending now has been sent. */
  whenSent(then: () => void): void {
    this.#afterTurns(Math.ceil(this.#toSubscribe.size / BATCH) + 1, then)
  }

  /** The connection works in both directions. */
  up(): void {
    this.#isUp = true
    const now = this.#options.now()
    for (const subscription of this.#byKey.values()) {
      subscription.since = now
      this.#tellReady(subscription)
    }
  }

  disconnected(): void {
    this.#canSubscribe = false
    this.#isUp = false
    this.#connection++
    this.#toSubscribe.clear()
    for (const subscription of this.#byKey.values()) {
      if (subscription.state === 'subscribed') continue
      if (subscription.hasMembers) subscription.state = 'none'
      else if (subscription.state === 'unsubscribing') {
        // It may have been executed or not. The relay restores what was not acknowledged as ended.
        subscription.state = 'subscribed'
        this.#becomeIdle(subscription)
      } else this.#drop(subscription)
    }
  }

  /** Ends the subscriptions of groups that have had no members for long. Called now and then. */
  sweep(now: number): void {
    if (!this.#canSubscribe) return
    const batch: Subscription[] = []
    for (const [subscription, since] of this.#idle) {
      if (batch.length === BATCH) break
      const isTooMany = this.#idle.size - batch.length > MAX_IDLE
      if (!isTooMany && now - since < this.#options.unsubscribeDelay) break
      if (subscription.state === 'subscribed') batch.push(subscription)
      else if (subscription.state === 'none') this.#drop(subscription)
    }
    if (batch.length === 0) return
    this.#unsubscribe(batch)
    if (batch.length === BATCH) setImmediate(() => this.sweep(performance.now()))
  }

  /** A node has left. What was known about its messages is removed. */
  forget(peer: Peer): void {
    for (const subscription of this.#byKey.values()) subscription.streams?.delete(peer)
  }

  /** Nothing will be subscribed any more. */
  close(error: Error): void {
    this.disconnected()
    for (const { waiting } of this.#byKey.values()) for (const { reject } of waiting.splice(0)) reject(error)
  }

  #enqueue(subscription: Subscription): void {
    if (!this.#canSubscribe) return
    subscription.state = 'waiting'
    this.#toSubscribe.add(subscription)
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.#nextBatch())
  }

  #nextBatch(): void {
    this.#isScheduled = false
    const batch: Subscription[] = []
    for (const subscription of this.#toSubscribe) {
      if (batch.length === BATCH) break
      this.#toSubscribe.delete(subscription)
      subscription.state = 'subscribing'
      batch.push(subscription)
    }
    if (batch.length > 0) this.#subscribe(batch)
    if (this.#toSubscribe.size === 0) return
    this.#isScheduled = true
    setImmediate(() => this.#nextBatch())
  }

  #subscribe(batch: readonly Subscription[]): void {
    const connection = this.#connection
    const { relay, inOrder, now } = this.#options
    relay.subscribe(this.#channelsOf(batch)).then(
      () => {
        // Behind the messages that arrived before the acknowledgement: they do not count as received.
        inOrder(() => {
          if (connection !== this.#connection) return
          for (const subscription of batch) {
            subscription.state = 'subscribed'
            subscription.since = now()
            if (subscription.hasMembers) this.#tellReady(subscription)
            else this.#becomeIdle(subscription)
          }
        })
      },
      (error: unknown) => {
        if (connection === this.#connection) this.#refused(batch, error)
      },
    )
  }

  #refused(batch: readonly Subscription[], error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error))
    for (const subscription of batch) {
      subscription.state = 'none'
      for (const { reject } of subscription.waiting.splice(0)) reject(reason)
      if (!subscription.hasMembers) this.#drop(subscription)
    }
    const connection = this.#connection
    setTimeout(() => {
      if (connection !== this.#connection) return
      for (const subscription of batch) {
        if (subscription.hasMembers && subscription.state === 'none') this.#enqueue(subscription)
      }
    }, RETRY_AFTER).unref()
  }

  #unsubscribe(batch: readonly Subscription[]): void {
    const connection = this.#connection
    for (const subscription of batch) {
      subscription.state = 'unsubscribing'
      subscription.streams = undefined
      this.#idle.delete(subscription)
    }
    const settled = (isDone: boolean): void => {
      if (connection !== this.#connection) return
      for (const subscription of batch) {
        subscription.state = isDone ? 'none' : 'subscribed'
        if (isDone && subscription.hasMembers) this.#enqueue(subscription)
        else if (isDone) this.#drop(subscription)
        else if (subscription.hasMembers) this.#tellReady(subscription)
        else this.#becomeIdle(subscription)
      }
    }
    this.#options.relay.unsubscribe(this.#channelsOf(batch)).then(
      () => {
        settled(true)
      },
      () => {
        settled(false)
      },
    )
  }

  #channelsOf(batch: readonly Subscription[]): string[] {
    const { channels, plain } = this.#options
    const names = batch.map(({ key }) => channels.group(key))
    if (plain) for (const { key } of batch) names.push(channels.plain(key))
    return names
  }

  #afterTurns(count: number, then: () => void): void {
    if (count === 0) then()
    else setImmediate(() => this.#afterTurns(count - 1, then))
  }

  #tellReady(subscription: Subscription): void {
    if (!this.#isUp || subscription.state !== 'subscribed') return
    this.#options.onReady(subscription.key)
    for (const { resolve } of subscription.waiting.splice(0)) resolve()
  }

  #becomeIdle(subscription: Subscription): void {
    if (subscription.hasMembers) return
    this.#idle.delete(subscription)
    this.#idle.set(subscription, performance.now())
    if (this.#idle.size > MAX_IDLE && this.#idle.size % BATCH === 0) this.sweep(performance.now())
  }

  #drop(subscription: Subscription): void {
    this.#toSubscribe.delete(subscription)
    this.#idle.delete(subscription)
    this.#byKey.delete(subscription.key)
  }
}
