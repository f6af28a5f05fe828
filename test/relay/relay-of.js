import { connect } from '@nats-io/transport-node'
import { clusterRelay } from 'hubwire/cluster'
import { natsRelay } from 'hubwire/nats'
import { redisRelay } from 'hubwire/redis'
import { createClient, createCluster } from 'redis'

/**
 * The relay of a process that a test has started. A connection to NATS ends with the channel to that test.
 *
 * @param {string} broker - `cluster`, `nats:` and a port, `redis-cluster:` and ports, or the path of the unix socket of Redis
 * @param {number} [heartbeatInterval]
 * @returns {Promise<import('hubwire').Relay | import('hubwire').PartitionedRelay>}
 */
export async function relayOf(broker, heartbeatInterval = 200) {
  const options = { heartbeatInterval, recoveryTimeout: 60_000, unsubscribeDelay: 20 }
  if (broker === 'cluster') return clusterRelay(options)
  if (broker.startsWith('redis-cluster:')) {
    const ports = broker.slice('redis-cluster:'.length).split(',')
    const rootNodes = ports.map((port) => ({ socket: { host: '127.0.0.1', port: Number(port) } }))
    return redisRelay(createCluster({ rootNodes }), options)
  }
  if (!broker.startsWith('nats:')) {
    return redisRelay(createClient({ socket: { path: broker, tls: false } }), options)
  }
  const servers = `127.0.0.1:${broker.slice('nats:'.length)}`
  const connection = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 20 })
  process.once('disconnect', () => void connection.close())
  return natsRelay(connection, options)
}
