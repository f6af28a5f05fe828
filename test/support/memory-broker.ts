import type { Relay, RelayConnection, RelayEvents, RelayHistory, RelayOptions } from 'hubwire'
import { BrokerHistory } from './broker-history.js'

/** Something on its way to or from a broker. */
type Job = () => void

/** A broker in memory, whose connections can be cut and stopped. What is on its way when one is cut is lost. */
export class MemoryBroker {
  readonly relays: MemoryRelay[] = []
  readonly histories = new BrokerHistory()

  relay(options: RelayOptions = {}): MemoryRelay {
    const relay = new MemoryRelay(this, options)
    this.relays.push(relay)
    return relay
  }

  /** Publishes as any other program does. */
  publish(channel: string, payload: Buffer): number {
    let receivers = 0
    for (const relay of this.relays) if (relay.take(channel, payload)) receivers++
    return receivers
  }
}

/** One direction of a connection: jobs are done in order, in later turns of the event loop. */
class Direction {
  isOpen = false
  isStopped = false
  #jobs: Job[] = []
  #isScheduled = false
  readonly #unanswered = new Set<(error: Error) => void>()

  /** Does what a command asks, in its turn, unless the connection is lost before. */
  command<Result>(execute: () => Result): Promise<Result> {
    if (!this.isOpen) return Promise.reject(new Error('not connected'))
    return new Promise((resolve, reject) => {
      this.#unanswered.add(reject)
      this.add(() => {
        this.#unanswered.delete(reject)
        try {
          resolve(execute())
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)))
        }
      })
    })
  }

  add(job: Job): void {
    this.#jobs.push(job)
    this.schedule()
  }

  /** Loses what is on its way. */
  cut(): void {
    this.isOpen = false
    this.#jobs = []
    for (const reject of this.#unanswered) reject(new Error('connection lost'))
    this.#unanswered.clear()
  }

  schedule(): void {
    if (this.#isScheduled || this.isStopped || this.#jobs.length === 0) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      if (this.isStopped) return
      for (const job of this.#jobs.splice(0)) job()
      this.schedule()
    })
  }
}

export class MemoryRelay implements Relay {
  readonly options: RelayOptions
  /** The next as many messages that this node publishes are lost on their way. */
  losing = 0
  /** The same of entries of histories, which are kept all the same. */
  losingEntries = 0
  /** Names of channels to which the broker refuses subscriptions. */
  readonly refused = new Set<string>()
  readonly subscribed = new Set<string>()
  /** The channels of each subscription command. */
  readonly commands: string[][] = []
  readonly published: string[] = []
  /** Commands of histories fail with this. */
  refusal: Error | undefined
  readonly history: RelayHistory = {
    append: (channel, entries, limits) =>
      this.#command(() =>
        this.#broker.histories.append(channel, entries, limits, (payload) => {
          if (this.losingEntries === 0) this.#broker.publish(channel, payload)
          else this.losingEntries--
        }),
      ),
    read: (channel, after, limits) =>
      this.#command(() => this.#broker.histories.read(channel, after, limits)),
  }
  readonly #broker: MemoryBroker
  readonly #out = new Direction()
  readonly #in = new Direction()
  #events: RelayEvents | undefined
  #isClosed = false

  constructor(broker: MemoryBroker, options: RelayOptions) {
    this.#broker = broker
    this.options = options
  }

  open(events: RelayEvents): void {
    this.#events = events
    setImmediate(() => this.connect())
  }

  /** Connects what was cut. */
  connect(): void {
    if (this.#isClosed) return
    this.#out.isOpen = true
    this.#in.isOpen = true
    this.#tell()
  }

  /** Cuts the connection, or one direction of it. */
  cut(direction: 'both' | 'publishing' | 'receiving' = 'both'): void {
    if (direction !== 'receiving') this.#out.cut()
    if (direction !== 'publishing') this.#in.cut()
    this.#tell()
  }

  /** Stops both directions, as a stopped broker does: nothing is lost. */
  stop(): void {
    this.#out.isStopped = true
    this.#in.isStopped = true
  }

  resume(): void {
    for (const direction of [this.#out, this.#in]) {
      direction.isStopped = false
      direction.schedule()
    }
  }

  /** Says that the broker refuses this client. */
  misconfigure(error: Error): void {
    this.#events?.misconfigured(error)
  }

  publish(channel: string, payload: Buffer): Promise<number> {
    this.published.push(channel)
    return this.#out.command(() => {
      if (this.losing === 0) return this.#broker.publish(channel, payload)
      this.losing--
      return 1
    })
  }

  subscribe(channels: readonly string[]): Promise<unknown> {
    this.commands.push([...channels])
    return this.#in.command(() => {
      if (channels.some((channel) => this.refused.has(channel))) throw new Error('refused')
      for (const channel of channels) this.subscribed.add(channel)
      return channels.length
    })
  }

  unsubscribe(channels: readonly string[]): Promise<unknown> {
    return this.#in.command(() => {
      for (const channel of channels) this.subscribed.delete(channel)
      return channels.length
    })
  }

  close(): Promise<void> {
    this.#isClosed = true
    this.#out.cut()
    this.#in.cut()
    this.subscribed.clear()
    return Promise.resolve()
  }

  /** Takes a message of the broker. Returns whether this node is subscribed. */
  take(channel: string, payload: Buffer): boolean {
    if (!this.#in.isOpen || !this.subscribed.has(channel)) return false
    this.#in.add(() => this.#events?.message(channel, payload))
    return true
  }

  /** A command whose answer travels back. */
  async #command<Result>(execute: () => Result): Promise<Result> {
    const result = await this.#out.command(() => {
      if (this.refusal !== undefined) throw this.refusal
      return execute()
    })
    await new Promise(setImmediate)
    return result
  }

  #tell(): void {
    if (this.#isClosed) return
    const state: RelayConnection = { canPublish: this.#out.isOpen, canReceive: this.#in.isOpen }
    this.#events?.connection(state)
  }
}
