import { Hub } from 'hubwire'

const { REDIS_URL } = process.env
/** Milliseconds. The members of a killed process leave after 20 heartbeats. */
const HEARTBEAT = 250

/**
 * A hub of this process. With REDIS_URL it shares its groups with the hubs of that name in other processes.
 *
 * @param {string} name
 * @returns {Promise<Hub<import('hubwire').WebSocket>>}
 */
export async function makeHub(name) {
  if (!REDIS_URL) return new Hub()
  const { createClient } = await import('redis')
  const { redisRelay } = await import('hubwire/redis')
  const options = { prefix: `hubwire-chat:${name}:`, heartbeatInterval: HEARTBEAT }
  const relay = redisRelay(createClient({ url: REDIS_URL }), options)
  /** @type {Hub<import('hubwire').WebSocket>} */
  const hub = new Hub({ relay })
  hub.ready.catch((/** @type {unknown} */ error) => console.error('The rooms stay in this process:', error))
  return hub
}
