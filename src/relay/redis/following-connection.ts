import { ignore } from '../../options/ignore.js'
import type { ChannelNames } from './channel-names.js'
import {
  type RedisConnectionEvents,
  type RedisConnection,
  retryDelay,
  type ServerConnection,
} from './connection.js'
import type { ConnectionUser, SharedConnections } from './shared-connections.js'
import type { Topology, TopologyUser } from './topology.js'

/** Errors of a server that is not, or not yet, the one to ask. */
const WRONG_SERVER = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|READONLY) /

const NOTHING = Buffer.alloc(0)

/** What a connection that follows its server requires. */
interface FollowingOptions {
  readonly topology: Topology
  readonly connections: SharedConnections
  readonly names: ChannelNames
  /** The connections of the same relay: when one has the wrong server, so have the others. */
  readonly siblings: Set<FollowingConnection>
  readonly role: 'publisher' | 'subscriber'
}

/**
 * A connection to the current master: that of a partition's slot, or the one that sentinels name. When it is lost, or the
 * master changes, it looks up the master again and restores its subscriptions there.
 */
export class FollowingConnection implements RedisConnection, ConnectionUser, TopologyUser {
  readonly #options: FollowingOptions
  readonly #subscribed = new Set<string>()
  #events: RedisConnectionEvents | undefined
  #leave: ((isDead: boolean) => void) | undefined
  #connection: ServerConnection | undefined
  #isReady = false
  #attempts = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: FollowingOptions) {
    this.#options = options
  }

  open(events: RedisConnectionEvents): void {
    this.#events = events
    this.#options.siblings.add(this)
    this.#options.topology.use(this)
    void this.#follow()
  }

  publish(channel: string, payload: Buffer): Promise<number> {
    const { names } = this.#options
    return this.#command((connection) =>
      names.isSharded(channel)
        ? connection.publishSharded(names.toServer(channel), payload)
        : connection.publish(names.toServer(channel), payload),
    )
  }

  evaluate(...command: Parameters<RedisConnection['evaluate']>): Promise<unknown> {
    return this.#command((connection) => connection.evaluate(...command))
  }

  async subscribe(channels: readonly string[]): Promise<unknown> {
    await this.#command((connection) => this.#subscribe(connection, channels))
    for (const channel of channels) this.#subscribed.add(channel)
    this.#attempts = 0
    return undefined
  }

  async unsubscribe(channels: readonly string[]): Promise<unknown> {
    await this.#command((connection) =>
      this.#byKind(
        channels,
        (names) => connection.unsubscribeSharded(names),
        (names) => connection.unsubscribe(names),
      ),
    )
    for (const channel of channels) this.#subscribed.delete(channel)
    return undefined
  }

  ping(): Promise<unknown> {
    return this.#command((connection) => connection.ping())
  }

  close(isDead = false): void {
    if (this.#events === undefined) return
    this.#events = undefined
    this.#options.siblings.delete(this)
    this.#options.topology.leave(this)
    clearTimeout(this.#timer)
    this.#end(isDead)
  }

  connected(connection: ServerConnection): void {
    const { role, names } = this.#options
    this.#connection = connection
    const isRight =
      role === 'subscriber'
        ? this.#subscribe(connection, [...this.#subscribed])
        : names.check !== undefined && connection.publishSharded(names.check, NOTHING)
    Promise.resolve(isRight).then(
      () => {
        if (this.#connection !== connection) return
        if (role === 'publisher') this.#attempts = 0
        this.#isReady = true
        this.#events?.ready(true)
      },
      (error: unknown) => {
        if (this.#connection !== connection) return
        this.error(error as Error)
        this.lost()
      },
    )
  }

  lost(): void {
    const wasReady = this.#isReady
    this.#end(false)
    if (this.#events === undefined) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#follow(), retryDelay(this.#attempts++))
    if (wasReady) this.#events.ready(false)
  }

  moved(): void {
    // One that is looking for its server finds the right one anyway.
    if (this.#connection !== undefined) this.lost()
  }

  message(channel: string, payload: Buffer): void {
    const name = this.#options.names.fromServer(channel)
    if (name !== undefined) this.#events?.message(name, payload)
  }

  error(error: Error): void {
    this.#events?.error(error)
  }

  async #follow(): Promise<void> {
    const { topology, connections, names } = this.#options
    try {
      const server = await topology.serverOf(names.slot, (error) => this.error(error))
      if (this.#events !== undefined) this.#leave = connections.join(server, this)
    } catch (error) {
      this.error(error as Error)
      this.lost()
    }
  }

  #end(isDead: boolean): void {
    const leave = this.#leave
    this.#leave = undefined
    this.#connection = undefined
    this.#isReady = false
    leave?.(isDead)
  }

  /** Sends a command. After an error that names another server, all connections of the relay look up the master again. */
  #command<Result>(give: (connection: ServerConnection) => Promise<Result>): Promise<Result> {
    const connection = this.#isReady ? this.#connection : undefined
    if (connection === undefined) return Promise.reject(new Error('The connection to Redis is not open'))
    const answered = give(connection)
    answered.catch((error: unknown) => {
      if (this.#connection !== connection || !WRONG_SERVER.test((error as Error).message)) return
      for (const one of this.#options.siblings) one.moved()
    })
    return answered
  }

  #subscribe(connection: ServerConnection, channels: readonly string[]): Promise<unknown> {
    return this.#byKind(
      channels,
      (names) => connection.subscribeSharded(names),
      (names) => connection.subscribe(names),
    )
  }

  /** Gives a command for the sharded channels, and one for the others. */
  #byKind(
    channels: readonly string[],
    sharded: (names: string[]) => Promise<unknown>,
    others: (names: string[]) => Promise<unknown>,
  ): Promise<unknown> {
    const { names } = this.#options
    const commands: Promise<unknown>[] = []
    for (const [isSharded, give] of [
      [true, sharded],
      [false, others],
    ] as const) {
      const some = channels.filter((channel) => names.isSharded(channel) === isSharded)
      if (some.length > 0) commands.push(give(some.map((channel) => names.toServer(channel))))
    }
    for (const command of commands) command.catch(ignore)
    return Promise.all(commands)
  }
}
