import type { PartitionedRelay, Relay, RelayOptions } from 'hubwire'
import { natsRelay } from 'hubwire/nats'
import { redisRelay } from 'hubwire/redis'
import { onTestFinished } from 'vitest'
import { NatsServer } from './nats-server.js'
import { RedisCluster } from './redis-cluster.js'
import { type ClientName, redisClients } from './redis-clients.js'
import { RedisServer } from './redis-server.js'
import type { Requirement } from './requirements.js'

/** A broker of its own, which lasts as long as the test. */
export interface Broker {
  /** What test/relay/relay-of.js takes. */
  readonly name: string
  /** Makes a relay. `prefix` is `'chat:'` by default. */
  relay(options?: RelayOptions): Promise<Relay>
  /** Ends it at once, with all it holds. */
  kill(): Promise<void>
  restart(): Promise<void>
  /** Stops it in the middle of whatever it does. Its connections stay. */
  pause(): Promise<void>
  resume(): void
}

/** How to start a broker. */
export interface BrokerKind {
  readonly title: string
  readonly requirement: Requirement
  start(): Promise<Broker>
}

const redis = (client: ClientName): BrokerKind => ({
  title: `Redis with ${client}`,
  requirement: 'redis-server',
  async start() {
    const server = await RedisServer.start()
    return {
      name: server.path,
      relay: (options) =>
        Promise.resolve(
          redisRelay(redisClients[client].server(server.path), { prefix: 'chat:', ...options }),
        ),
      kill: () => server.kill(),
      restart: () => server.restart(),
      pause: () => server.pause(),
      resume: () => server.resume(),
    }
  },
})

const nats: BrokerKind = {
  title: 'NATS',
  requirement: 'nats-server',
  async start() {
    const server = await NatsServer.start()
    return {
      name: `nats:${server.port}`,
      relay: async (options) => natsRelay(await server.connect(), { prefix: 'chat:', ...options }),
      kill: () => server.kill(),
      restart: () => server.restart(),
      pause: () => server.pause(),
      resume: () => server.resume(),
    }
  },
}

/** The brokers that are programs of their own, each with each of its clients. */
export const brokersByClient: readonly BrokerKind[] = [redis('redis'), redis('ioredis'), nats]

/** Each broker once. */
export const brokers: readonly BrokerKind[] = [redis('redis'), nats]

/** Three masters and a replica, which cannot be killed as one. */
export const redisCluster: {
  readonly title: string
  readonly requirement: Requirement
  start(): Promise<{ name: string; relay(options?: RelayOptions): Promise<PartitionedRelay> }>
} = {
  title: 'a Redis Cluster',
  requirement: 'redis-server',
  async start() {
    const { ports } = await RedisCluster.start(onTestFinished)
    return {
      name: `redis-cluster:${ports.join()}`,
      relay: (options) =>
        Promise.resolve(redisRelay(redisClients.ioredis.cluster(ports), { prefix: 'chat:', ...options })),
    }
  },
}
