/// <reference types="node" preserve="true" />
/**
 * Relays messages between the hubs of several processes through Redis.
 *
 * @packageDocumentation
 */
import {
  type Relay,
  type RelayConnection,
  type RelayEvents,
  type RelayOptions,
  notOpenError,
  toRelaySettings,
  usedTwiceError,
} from '../relay.js'
import { ignore } from '../../options/ignore.js'
import { type ConnectionEvents, PING_INTERVAL, type RedisConnection } from './connection.js'
import { type IoredisClient, IoredisConnection } from './ioredis.js'
import { type NodeRedisClient, NodeRedisConnection } from './node-redis.js'

export type { Relay, RelayConnection, RelayEvents, RelayOptions }

/** A client of the package `redis` or `ioredis` for a single server. Only its `duplicate()` is used. */
export interface RedisClient {
  duplicate(overrides?: object): unknown
}

/** PINGs that may be unanswered until a publisher is replaced: as long as a socket may be silent. */
const MAX_UNANSWERED_PINGS = 3

/** Errors with which Redis refuses a client permanently, with the remedy. */
const REFUSALS: readonly [pattern: RegExp, remedy: string][] = [
  [
    /WRONGPASS|invalid password|invalid username-password/i,
    'check the username and the password of the client',
  ],
  [/NOAUTH|Authentication required/i, 'give the client a password'],
  [
    /NOPERM|no permissions/i,
    'allow its user SUBSCRIBE, UNSUBSCRIBE, PUBLISH and PING on channels with the prefix',
  ],
  [/DB index is out of range/i, 'choose a database that the server has'],
]

/**
 * A relay through Redis, for `new Hub({ relay })`. It opens two connections with `client.duplicate()`, one that
 * publishes and one that receives, and ends them with `hub.close()`. `client` need not be connected, and stays as it
 * is.
 *
 * @param client - of `createClient()` of the package `redis`, or `new Redis()` of `ioredis`; version 6 of either is
 *   tested
 * @throws TypeError when it is neither, or a cluster's client
 * @throws TypeError or RangeError when an option cannot be used
 */
export function redisRelay(client: RedisClient, options?: RelayOptions | null): Relay {
  toRelaySettings(options)
  checkClient(client)
  return new RedisRelay(() => connectionOf(client), options)
}

class RedisRelay implements Relay {
  readonly options: RelayOptions | null | undefined
  readonly #connect: () => RedisConnection
  #publisher: RedisConnection | undefined
  #subscriber: RedisConnection | undefined
  #pings: NodeJS.Timeout | undefined
  #unansweredPings = 0
  #wasOpened = false
  #state: RelayConnection = { canPublish: false, canReceive: false }

  constructor(connect: () => RedisConnection, options: RelayOptions | null | undefined) {
    this.#connect = connect
    this.options = options
  }

  open(events: RelayEvents): void {
    if (this.#wasOpened) throw usedTwiceError()
    const change = (change: Partial<RelayConnection>): void => {
      const before = this.#state
      this.#state = { ...before, ...change }
      const { canPublish, canReceive } = this.#state
      if (canPublish !== before.canPublish || canReceive !== before.canReceive) events.connection(this.#state)
    }
    const error = (cause: Error): void => {
      const remedy = REFUSALS.find(([pattern]) => pattern.test(cause.message))?.[1]
      if (remedy === undefined) return
      events.misconfigured(new Error(`Redis refuses the relay (${cause.message}): ${remedy}`, { cause }))
    }
    const message = (channel: string, payload: Buffer): void => {
      events.message(channel, payload)
    }
    this.#wasOpened = true
    const publishing = { ready: (canPublish: boolean) => change({ canPublish }), message, error }
    this.#publisher = this.#opened(publishing)
    this.#subscriber = this.#opened({ ready: (canReceive) => change({ canReceive }), message, error })
    this.#pings = setInterval(() => this.#checkPublisher(publishing), PING_INTERVAL).unref()
  }

  publish(channel: string, payload: Buffer): Promise<number | undefined> {
    return this.#publisher?.publish(channel, payload) ?? notOpen()
  }

  subscribe(channels: readonly string[]): Promise<unknown> {
    return this.#subscriber?.subscribe(channels) ?? notOpen()
  }

  unsubscribe(channels: readonly string[]): Promise<unknown> {
    return this.#subscriber?.unsubscribe(channels) ?? notOpen()
  }

  close(): Promise<void> {
    clearInterval(this.#pings)
    this.#publisher?.close()
    this.#subscriber?.close()
    // A closed client may never answer a command.
    this.#publisher = undefined
    this.#subscriber = undefined
    return Promise.resolve()
  }

  #opened(events: ConnectionEvents): RedisConnection {
    const connection = this.#connect()
    connection.open(events)
    return connection
  }

  /**
   * Replaces a publisher of which nothing is answered. Its socket never counts as idle, because it is written to each
   * second; without this, the operating system would end it after a quarter of an hour.
   */
  #checkPublisher(events: ConnectionEvents): void {
    if (!this.#state.canPublish) this.#unansweredPings = 0
    else if (this.#unansweredPings < MAX_UNANSWERED_PINGS) {
      this.#unansweredPings++
      this.#publisher?.ping().then(() => (this.#unansweredPings = 0), ignore)
    } else {
      this.#unansweredPings = 0
      this.#publisher?.close()
      events.ready(false)
      this.#publisher = this.#opened(events)
    }
  }
}

function notOpen(): Promise<never> {
  return Promise.reject(notOpenError())
}

function isIoredis(client: object): client is IoredisClient {
  return typeof (client as Partial<IoredisClient>).status === 'string'
}

function connectionOf(client: RedisClient): RedisConnection {
  if (isIoredis(client)) return new IoredisConnection(client)
  return new NodeRedisConnection(client as NodeRedisClient)
}

function checkClient(client: unknown): void {
  const { duplicate, sendCommand, isCluster, slots } = (client ?? {}) as Record<string, unknown>
  if (isCluster === true || slots !== undefined) {
    throw new TypeError('redisRelay() takes the client of a single Redis server; this one is a cluster’s')
  }
  if (typeof duplicate === 'function' && typeof sendCommand === 'function') return
  throw new TypeError(
    'redisRelay() takes a client: createClient() of the package redis, or new Redis() of ioredis. ' +
      `It was given ${client === null ? 'null' : `a value of type ${typeof client}`}`,
  )
}
