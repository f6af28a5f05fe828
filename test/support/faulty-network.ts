import { connect } from '@nats-io/transport-node'
import { join } from 'node:path'
import type { PartitionedRelay, Relay, RelayOptions } from 'hubwire'
import { natsRelay } from 'hubwire/nats'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'
import { WorkerRelay } from '#src/relay/cluster/worker-relay.js'
import { routerOfProcess, VARIABLE } from '#src/relay/cluster/router.js'
import { FaultyLink, type Target } from './faulty-link.js'
import { freePort } from './free-port.js'
import { MemoryBroker, type MemoryRelay } from './memory-broker.js'
import { NatsServer } from './nats-server.js'
import { RedisServer } from './redis-server.js'
import type { Requirement } from './requirements.js'
import { temporaryFolder } from './temporary-folder.js'

export type Direction = 'both' | 'publishing' | 'receiving'

/** A relay, and what can happen to its connection. */
export interface FaultyRelay {
  readonly relay: Relay | PartitionedRelay
  cut(direction: Direction): void
  connect(): void
  stop(): void
  resume(): void
  /** The next as many messages are lost on their way, if that can happen. */
  lose(count: number): void
  /** Ends what the relay does not end itself. */
  close(): Promise<void>
}

/** Makes relays that reach each other. */
export interface FaultyNetwork {
  readonly title: string
  readonly requirement: Requirement | undefined
  /** Milliseconds between heartbeats. */
  readonly heartbeatInterval: number
  /** Starts a broker that lasts as long as the test. Each call of what it returns begins a network of its own. */
  start(): Promise<() => (options: RelayOptions) => Promise<FaultyRelay>>
}

const memory: FaultyNetwork = {
  title: 'a broker in memory',
  requirement: undefined,
  heartbeatInterval: 4,
  start: () =>
    Promise.resolve(() => {
      const broker = new MemoryBroker()
      return (options) => {
        const relay = broker.relay(options)
        return Promise.resolve({ relay, ...controls([relay]) })
      }
    }),
}

/** Two partitions: each has its own faults. */
const partitions: FaultyNetwork = {
  title: 'partitions in memory',
  requirement: undefined,
  heartbeatInterval: 4,
  start: () =>
    Promise.resolve(() => {
      const brokers = [new MemoryBroker(), new MemoryBroker()]
      return (options) => {
        const parts = brokers.map((broker) => broker.relay(options))
        return Promise.resolve({ relay: { options, partitions: parts }, ...controls(parts) })
      }
    }),
}

/** Each cut and each loss befalls the next of the relays; all of them stop. */
function controls(relays: readonly MemoryRelay[]): Omit<FaultyRelay, 'relay'> {
  let turn = 0
  const next = (): MemoryRelay => relays[turn++ % relays.length]!
  return {
    cut: (direction) => next().cut(direction),
    connect: () => {
      for (const relay of relays) {
        relay.losing = 0
        relay.connect()
      }
    },
    stop: () => {
      for (const relay of relays) relay.stop()
    },
    resume: () => {
      for (const relay of relays) relay.resume()
    },
    lose: (count) => {
      next().losing += count
    },
    close: () => Promise.resolve(),
  }
}

/** A network of relays to one broker, each by a link of its own. */
function linked(
  target: Target,
  make: (link: FaultyLink, options: RelayOptions) => Promise<[Relay, () => Promise<void>]>,
  pathOf?: () => string,
): () => (options: RelayOptions) => Promise<FaultyRelay> {
  let networks = 0
  return () => {
    const prefix = `${networks++}:`
    return async (options) => {
      const link = await FaultyLink.start(target, pathOf?.())
      const [relay, close] = await make(link, { ...options, prefix })
      return {
        relay,
        // The publisher of Redis connects first. The others have one connection.
        cut: (direction) =>
          link.cut(direction === 'both' ? 'all' : direction === 'publishing' ? 'first' : 'last'),
        connect: () => link.connect(),
        stop: () => link.stop(),
        resume: () => link.resume(),
        lose: () => undefined,
        async close() {
          await close()
          link.close()
        },
      }
    }
  }
}

const nothing = (): Promise<void> => Promise.resolve()

const redis: FaultyNetwork = {
  title: 'Redis',
  requirement: 'redis-server',
  heartbeatInterval: 20,
  async start() {
    const port = await freePort()
    await RedisServer.start('--port', String(port), '--bind', '127.0.0.1')
    return linked({ host: '127.0.0.1', port }, (link, options) => {
      const client = createClient({ socket: { host: '127.0.0.1', port: link.port } })
      return Promise.resolve([redisRelay(client, options), nothing])
    })
  },
}

const nats: FaultyNetwork = {
  title: 'NATS',
  requirement: 'nats-server',
  heartbeatInterval: 20,
  async start() {
    const { port } = await NatsServer.start()
    return linked({ host: '127.0.0.1', port }, async (link, options) => {
      const connection = await connect({
        servers: `127.0.0.1:${link.port}`,
        // Otherwise it would find the server itself, past the link.
        ignoreClusterUpdates: true,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 20,
        reconnectJitter: 20,
      })
      return [natsRelay(connection, options), () => connection.close()]
    })
  },
}

const cluster: FaultyNetwork = {
  title: 'the primary of a cluster',
  requirement: undefined,
  heartbeatInterval: 20,
  start() {
    routerOfProcess()
    const folder = temporaryFolder()
    let count = 0
    return Promise.resolve(
      linked(
        { path: process.env[VARIABLE]! },
        (link, options) => Promise.resolve([new WorkerRelay(link.path, options), nothing]),
        () => join(folder, `${count++}.sock`),
      ),
    )
  },
}

export const faultyNetworks: readonly FaultyNetwork[] = [memory, partitions, redis, nats, cluster]
