/// <reference types="node" preserve="true" />
/**
 * Relays messages between the hubs of several processes through Redis.
 *
 * @packageDocumentation
 */
import { checkInteger } from '../../options/checks.js'
import { ignore } from '../../options/ignore.js'
import {
  type PartitionedRelay,
  type Relay,
  type RelayConnection,
  type RelayEvents,
  type RelayOptions,
  relayNotOpenError,
  toRelaySettings,
  usedTwiceError,
} from '../relay.js'
import { type ChannelNames, partitionNames, plainNames } from './channel-names.js'
import { type RedisConnectionEvents, PING_INTERVAL, type RedisConnection } from './connection.js'
import { FollowingConnection } from './following-connection.js'
import { hashTags, slotOf } from './hash-tags.js'
import { RedisHistory } from './history.js'
import { type IoredisClient, IoredisConnection } from './ioredis.js'
import {
  clusterLookup,
  isCluster,
  isSentinel,
  nodeRedisSentinel,
  type RedisClusterClient,
} from './lookups.js'
import { type NodeRedisClient, NodeRedisConnection } from './node-redis.js'
import { SharedConnections } from './shared-connections.js'
import { Topology } from './topology.js'

export type { PartitionedRelay, RedisClusterClient, Relay, RelayConnection, RelayEvents, RelayOptions }

/** The options of a relay through Redis. */
export interface RedisRelayOptions extends RelayOptions {
  /**
   * Only for a cluster: the number of partitions over which the groups are distributed; 16 by default, 1,024 at most. Each
   * partition belongs to one master at a time, so use several per master. All processes must use the same number.
   */
  partitions?: number | null | undefined
}

/**
 * A client of the package `redis` or `ioredis`: of a single server, or with Sentinel. Only its `duplicate()` is used.
 */
export interface RedisClient {
  duplicate(overrides?: object): unknown
}

/** Partitions of a cluster, if their number is not set. */
const PARTITIONS = 16
const MAX_PARTITIONS = 1024

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
    'allow its user SUBSCRIBE, UNSUBSCRIBE, PUBLISH and PING on channels with the prefix, ' +
      'in a cluster SSUBSCRIBE, SUNSUBSCRIBE and SPUBLISH',
  ],
  [/DB index is out of range/i, 'choose a database that the server has'],
]

/**
 * A relay through a Redis Cluster, for `new Hub({ relay })`. Each group belongs to one of the partitions, and each
 * partition to a slot of the cluster; messages use sharded pub/sub. It opens two connections to each master. When a
 * master fails, or a slot moves, its partitions move to the new master, and a `'gap'` names their groups.
 *
 * @param client - of `createCluster()` of the package `redis`, or `new Cluster()` of `ioredis`; version 6 of either and
 *   Redis 7 are tested. It need not be connected
 * @throws TypeError when the prefix contains a brace, which would give all partitions the same slot
 * @throws TypeError or RangeError when another option cannot be used
 */
export function redisRelay(client: RedisClusterClient, options?: RedisRelayOptions | null): PartitionedRelay

/**
 * A relay through Redis, for `new Hub({ relay })`. It opens two connections with `client.duplicate()`, one that
 * publishes and one that receives, and ends them with `hub.close()`. `client` need not be connected, and stays as it
 * is. With a client that uses Sentinel, they move to the master that the sentinels name.
 *
 * @param client - of `createClient()` or `createSentinel()` of the package `redis`, or `new Redis()` of `ioredis`, also
 *   with `sentinels`; version 6 of either is tested
 * @throws TypeError when it is none of these
 * @throws TypeError or RangeError when an option cannot be used
 */
export function redisRelay(client: RedisClient, options?: RedisRelayOptions | null): Relay

export function redisRelay(
  client: RedisClient | RedisClusterClient,
  options?: RedisRelayOptions | null,
): Relay | PartitionedRelay {
  const { prefix } = toRelaySettings(options)
  const partitions = options?.partitions ?? undefined
  if (partitions !== undefined) checkInteger('partitions', partitions, 1, MAX_PARTITIONS)
  if (isCluster(client)) {
    if (/[{}]/.test(prefix)) {
      throw new TypeError(
        `prefix must not contain a brace with a cluster; it is ${JSON.stringify(prefix)}. ` +
          'All partitions would have the same slot',
      )
    }
    return partitionsOf(new Topology(clusterLookup(client)), prefix, {
      ...options,
      partitions: partitions ?? PARTITIONS,
    })
  }
  if (partitions !== undefined) {
    throw new TypeError('The option partitions requires a cluster client: remove it')
  }
  checkClient(client)
  if (!isSentinel(client)) return new RedisRelay(() => connectionOf(client), options)
  const topology = new Topology(nodeRedisSentinel(client))
  return new RedisRelay(following(topology, newConnections(), plainNames), options)
}

/** What a connection is for. */
type Role = 'publisher' | 'subscriber'

class RedisRelay implements Relay {
  readonly options: RelayOptions | null | undefined
  /** Not in a cluster: a script would publish to other channels than the sharded ones. */
  readonly history: RedisHistory | undefined
  readonly #connect: (role: Role) => RedisConnection
  #publisher: RedisConnection | undefined
  #subscriber: RedisConnection | undefined
  #pings: NodeJS.Timeout | undefined
  #unansweredPings = 0
  #wasOpened = false
  #state: RelayConnection = { canPublish: false, canReceive: false }

  constructor(
    connect: (role: Role) => RedisConnection,
    options: RelayOptions | null | undefined,
    isPartition = false,
  ) {
    this.#connect = connect
    this.options = options
    if (isPartition) return
    this.history = new RedisHistory((...command) => this.#publisher?.evaluate(...command) ?? notOpen())
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
    this.#publisher = this.#opened('publisher', publishing)
    this.#subscriber = this.#opened('subscriber', {
      ready: (canReceive) => change({ canReceive }),
      message,
      error,
    })
    const isQuiet = toRelaySettings(this.options).heartbeatInterval >= PING_INTERVAL
    this.#pings = setInterval(() => {
      this.#checkPublisher(publishing)
      // Otherwise its socket could be silent until it counts as dead.
      if (isQuiet && this.#state.canReceive) this.#subscriber?.ping().catch(ignore)
    }, PING_INTERVAL).unref()
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

  #opened(role: Role, events: RedisConnectionEvents): RedisConnection {
    const connection = this.#connect(role)
    connection.open(events)
    return connection
  }

  /**
   * Replaces a publisher of which nothing is answered. Its socket never counts as idle, because it is written to each
   * second; without this, the operating system would end it after a quarter of an hour.
   */
  #checkPublisher(events: RedisConnectionEvents): void {
    if (!this.#state.canPublish) this.#unansweredPings = 0
    else if (this.#unansweredPings < MAX_UNANSWERED_PINGS) {
      this.#unansweredPings++
      this.#publisher?.ping().then(() => (this.#unansweredPings = 0), ignore)
    } else {
      this.#unansweredPings = 0
      this.#publisher?.close(true)
      events.ready(false)
      this.#publisher = this.#opened('publisher', events)
    }
  }
}

function newConnections(): Record<Role, SharedConnections> {
  return { publisher: new SharedConnections(), subscriber: new SharedConnections() }
}

/** Makes connections that follow their server. */
function following(
  topology: Topology,
  connections: Record<Role, SharedConnections>,
  names: ChannelNames,
): (role: Role) => RedisConnection {
  const siblings = new Set<FollowingConnection>()
  return (role) =>
    new FollowingConnection({ topology, connections: connections[role], names, siblings, role })
}

function partitionsOf(topology: Topology, prefix: string, options: RedisRelayOptions): PartitionedRelay {
  const connections = newConnections()
  const partitions = hashTags(options.partitions!).map((tag) => {
    const names = partitionNames(prefix, tag, slotOf(tag))
    return new RedisRelay(following(topology, connections, names), options, true)
  })
  return { options, partitions }
}

function notOpen(): Promise<never> {
  return Promise.reject(relayNotOpenError())
}

function isIoredis(client: object): client is IoredisClient {
  return typeof (client as Partial<IoredisClient>).status === 'string'
}

function connectionOf(client: RedisClient): RedisConnection {
  if (isIoredis(client)) return new IoredisConnection(client)
  return new NodeRedisConnection(client as NodeRedisClient)
}

function checkClient(client: unknown): void {
  const { duplicate, sendCommand } = (client ?? {}) as Record<string, unknown>
  if (typeof duplicate === 'function' && typeof sendCommand === 'function') return
  throw new TypeError(
    'redisRelay() takes a client: createClient(), createCluster() or createSentinel() of the package redis, or ' +
      'new Redis() or new Cluster() of ioredis. ' +
      `It was given ${client === null ? 'null' : `a value of type ${typeof client}`}`,
  )
}
