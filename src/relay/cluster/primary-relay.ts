import {
  relayNotOpenError,
  type Relay,
  type RelayEvents,
  type RelayOptions,
  usedTwiceError,
} from '../relay.js'
import { type Router, type Subscriber, Subscriptions } from './router.js'

/** The relay of a hub in the primary, where the router is. */
export class PrimaryRelay implements Relay, Subscriber {
  readonly options: RelayOptions | null | undefined
  readonly #router: Router
  readonly #subscriptions: Subscriptions
  #events: RelayEvents | undefined
  #wasOpened = false

  constructor(router: Router, options: RelayOptions | null | undefined) {
    this.#router = router
    this.#subscriptions = new Subscriptions(router, this)
    this.options = options
  }

  open(events: RelayEvents): void {
    if (this.#wasOpened) throw usedTwiceError()
    this.#wasOpened = true
    this.#events = events
    process.nextTick(() => this.#events?.connection({ canPublish: true, canReceive: true }))
  }

  async publish(channel: string, payload: Buffer): Promise<undefined> {
    this.#check()
    this.#router.publish(channel, payload)
    return Promise.resolve(undefined)
  }

  async subscribe(channels: readonly string[]): Promise<void> {
    this.#check()
    for (const channel of channels) this.#subscriptions.add(channel)
    return Promise.resolve()
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    this.#check()
    for (const channel of channels) this.#subscriptions.delete(channel)
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.#events = undefined
    this.#subscriptions.end()
    return Promise.resolve()
  }

  /** In a later turn of the microtasks: a message must not come back within the call that publishes it. */
  deliver(channel: string, payload: Buffer): void {
    queueMicrotask(() => this.#events?.message(channel, payload))
  }

  #check(): void {
    if (this.#events === undefined) {
      throw relayNotOpenError()
    }
  }
}
