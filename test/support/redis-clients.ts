import type { RedisClusterClient, RedisClient } from 'hubwire/redis'
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster, createSentinel } from 'redis'
import { MASTER_NAME } from './redis-sentinels.js'

export type ClientName = 'redis' | 'ioredis'

/** The clients of both packages. They are used for `duplicate()` only, so none is connected. */
interface Clients {
  server(path: string): RedisClient
  cluster(ports: readonly number[]): RedisClusterClient
  sentinel(port: number): RedisClient
}

const at = (port: number): { host: string; port: number } => ({ host: '127.0.0.1', port })

export const redisClients: Record<ClientName, Clients> = {
  redis: {
    server: (path) => createClient({ socket: { path, tls: false } }),
    cluster: (ports) => createCluster({ rootNodes: ports.map((port) => ({ socket: at(port) })) }),
    sentinel: (port) => createSentinel({ name: MASTER_NAME, sentinelRootNodes: [at(port)] }),
  },
  ioredis: {
    server: (path) => new Redis({ path, lazyConnect: true }),
    cluster: (ports) => new Cluster(ports.map(at), { lazyConnect: true }),
    sentinel: (port) => new Redis({ name: MASTER_NAME, sentinels: [at(port)], lazyConnect: true }),
  },
}
