// The hub of the workers and of the command: their groups are one, by Redis. REDIS_URL says where it is.
import { Hub } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'

const { REDIS_URL = 'unix:///run/redis/hubwire.sock' } = process.env

/** @type {Hub<import('hubwire').WebSocket>} */
export const hub = new Hub({ relay: redisRelay(createClient({ url: REDIS_URL })) })
