import { Redis } from 'ioredis'
import { createClient, createCluster } from 'redis'

/** @param {string} path of the unix socket */
export const redisClient = (path) => createClient({ socket: { path, tls: false } })

/** @param {string} path of the unix socket */
export const ioredisClient = (path) => new Redis({ path, lazyConnect: true })

/** @param {string} ports of a cluster, separated by commas */
export const clusterClient = (ports) =>
  createCluster({
    rootNodes: ports.split(',').map((port) => ({ socket: { host: '127.0.0.1', port: Number(port) } })),
  })
