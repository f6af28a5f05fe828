import { Nats } from './brokers/nats.js'
import { Primary } from './brokers/primary.js'
import { Redis } from './brokers/redis.js'
import { RedisCluster } from './brokers/redis-cluster.js'

/**
 * @typedef {object} RunningBroker
 * @property {string} address
 * @property {Record<string, string>} environment what its clients need in theirs
 * @property {number[]} pids
 * @property {(index: number) => string} socket a path for a worker's socket
 * @property {() => Promise<void>} end
 */

const BROKERS = { redis: Redis, 'redis-cluster': RedisCluster, nats: Nats, primary: Primary }

/**
 * @param {import('./contenders.js').Broker} name
 * @returns {Promise<RunningBroker>}
 */
export async function startBroker(name) {
  return await BROKERS[name].start()
}
