import { ignore } from '../../options/ignore.js'
import { type Server, SOCKET_TIMEOUT } from './connection.js'
import { type IoredisClient, IoredisConnection } from './ioredis.js'
import { type NodeRedisClient, NodeRedisConnection } from './node-redis.js'
import type { Address, StartLookup } from './topology.js'

/** Whether a client is a cluster's, by either package. */
export function isCluster(client: unknown): client is RedisClusterClient {
  const { duplicate, slots } = (client ?? {}) as Record<string, unknown>
  return typeof duplicate === 'function' && Array.isArray(slots)
}

/** Whether a client is one of `createSentinel()` of the package `redis`. That of `ioredis` finds the master itself. */
export function isSentinel(client: object): client is NodeRedisSentinel {
  const { getSentinelNode, _execute } = client as Record<string, unknown>
  return typeof getSentinelNode === 'function' && typeof _execute === 'function'
}

/** Asks a cluster by the package of its client. */
export function clusterLookup(client: RedisClusterClient): StartLookup {
  const { isCluster } = client as { isCluster?: boolean }
  if (isCluster === true) return ioredisCluster(client as unknown as IoredisCluster)
  return nodeRedisCluster(client as unknown as NodeRedisCluster)
}

/** A cluster's client of the package `redis` or `ioredis`. Only its `duplicate()` is used. */
export interface RedisClusterClient {
  readonly slots: readonly unknown[]
  duplicate(...args: never[]): unknown
}

/** Milliseconds between queries to the sentinels, in case one of their messages was lost. */
const SCAN_INTERVAL = 5000

/** Milliseconds without a byte after which a connection of a lookup is ended. */
const PATIENCE = 5000

interface Emitter {
  on(event: string, listener: (error: Error) => void): unknown
}

/** The members of `createCluster()` of the package `redis` that are used. */
interface NodeRedisCluster extends Emitter {
  readonly _options: {
    readonly rootNodes: readonly object[]
    readonly defaults?: { readonly socket?: object }
  }
  readonly slots: readonly ({ readonly master: object } | undefined)[]
  duplicate(overrides: object): NodeRedisCluster
  connect(): Promise<unknown>
  nodeClient(node: object): Promise<NodeRedisClient>
  destroy(): void
}

/** The members of `createSentinel()` of the package `redis` that are used. */
interface NodeRedisSentinel {
  duplicate(overrides: object): NodeRedisSentinel
  connect(): Promise<unknown>
  /** Gives its client of the master. There is no other way to one. */
  _execute(
    isReadonly: false,
    use: (client: NodeRedisClient) => Promise<NodeRedisClient>,
  ): Promise<NodeRedisClient>
  destroy(): Promise<unknown>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'topology-change', listener: (change: { type: string }) => void): unknown
}

/** The members of `new Cluster()` of the package `ioredis` that are used. */
interface IoredisCluster extends Emitter {
  readonly slots: readonly (readonly string[] | undefined)[]
  readonly startupNodes: readonly unknown[]
  duplicate(startupNodes: readonly unknown[], overrides: object): IoredisCluster
  connect(): Promise<unknown>
  nodes(role: 'master'): IoredisClient[]
  disconnect(): void
}

/** Asks a cluster by the package `redis`. */
function nodeRedisCluster(client: NodeRedisCluster): StartLookup {
  return (known, onError) => {
    const { rootNodes, defaults } = client._options
    const cluster = client.duplicate({
      minimizeConnections: true,
      topologyRefreshOnReconnectionAttemptStrategy: false,
      clientSideCache: undefined,
      // Otherwise a connection to a server that is down would be attempted for ever, and one that hangs would stay.
      defaults: {
        ...defaults,
        socket: { ...defaults?.socket, reconnectStrategy: false, socketTimeout: PATIENCE },
      },
      rootNodes: [...rootNodes, ...distinct(known).map((socket) => ({ socket }))],
    })
    cluster.on('error', onError)
    cluster.on('node-error', onError)
    return {
      connect: () => cluster.connect(),
      async serverOf(slot) {
        const master = cluster.slots[slot]?.master
        if (master === undefined) throw new Error(`The slot ${slot} has no server`)
        return serverOf(await cluster.nodeClient(master), defaults?.socket)
      },
      close: () => cluster.destroy(),
    }
  }
}

/** Asks sentinels by the package `redis`. */
export function nodeRedisSentinel(client: NodeRedisSentinel): StartLookup {
  return (_, onError) => {
    const sentinel = client.duplicate({
      replicaPoolSize: 0,
      masterPoolSize: 1,
      reserveClient: false,
      scanInterval: SCAN_INTERVAL,
      // Otherwise it would try again by itself, each second.
      maxCommandRediscovers: 0,
      clientSideCache: undefined,
    })
    sentinel.on('error', onError)
    return {
      connect: () => sentinel.connect(),
      serverOf: async () => serverOf(await sentinel._execute(false, (master) => Promise.resolve(master))),
      // Otherwise connections would stay until the sentinels demote an old master that is still running, 10 s later.
      watch(onMoved) {
        sentinel.on('topology-change', ({ type }) => {
          if (type === 'MASTER_CHANGE') onMoved()
        })
      },
      close: () => void sentinel.destroy().catch(ignore),
    }
  }
}

/** Asks a cluster by the package `ioredis`. */
function ioredisCluster(client: IoredisCluster): StartLookup {
  return (known, onError) => {
    const cluster = client.duplicate([...client.startupNodes, ...distinct(known)], {
      lazyConnect: true,
      // A cluster that is down still says which server has which slots.
      enableReadyCheck: false,
      shardedSubscribers: false,
      clusterRetryStrategy: null,
      slotsRefreshInterval: undefined,
    })
    cluster.on('error', ignore)
    cluster.on('node error', onError)
    return {
      connect: () => cluster.connect(),
      serverOf(slot) {
        const address = cluster.slots[slot]?.[0]
        const node = cluster
          .nodes('master')
          .find(({ options }) => `${options?.host}:${options?.port}` === address)
        if (node === undefined) return Promise.reject(new Error(`The slot ${slot} has no server`))
        const { host, port } = node.options as Address
        return Promise.resolve({ host, port, connect: () => new IoredisConnection(node) })
      },
      close: () => cluster.disconnect(),
    }
  }
}

/** In an order that stays the same: the package `redis` makes a class, which takes 40 ms, whenever its options change. */
function distinct(known: readonly Address[]): Address[] {
  const addresses = new Map(known.map(({ host, port }) => [`${host} ${port}`, { host, port }]))
  return [...addresses.keys()].sort().map((address) => addresses.get(address)!)
}

/** @param own - the socket's options of the user, if the client has others */
function serverOf(client: NodeRedisClient, own?: { readonly socketTimeout?: number }): Server {
  const socket = client.options?.socket as Address & { readonly socketTimeout?: number }
  const { host, port } = socket
  const socketTimeout = own?.socketTimeout ?? SOCKET_TIMEOUT
  return { host, port, connect: () => new NodeRedisConnection(client, { ...socket, socketTimeout }) }
}
