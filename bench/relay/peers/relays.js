import { connect } from '@nats-io/transport-node'
import { clusterRelay } from 'hubwire/cluster'
import { natsRelay } from 'hubwire/nats'
import { redisRelay } from 'hubwire/redis'
import { clusterClient, ioredisClient, redisClient } from './clients.js'

/**
 * The relays by the names of their peers, made from the address of their broker.
 *
 * @type {Record<string, (address: string) => import('hubwire').HubOptions['relay'] | Promise<import('hubwire').HubOptions['relay']>>}
 */
export const relays = {
  redis: (path) => redisRelay(redisClient(path)),
  ioredis: (path) => redisRelay(ioredisClient(path)),
  'redis-cluster': (ports) => redisRelay(clusterClient(ports)),
  nats: async (servers) => natsRelay(await connect({ servers, maxReconnectAttempts: -1 })),
  cluster: () => clusterRelay(),
}
