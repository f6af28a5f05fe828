// The hub of the workers and of the command, which share their groups through Redis. REDIS_URL sets its address.
import { Hub } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'

const { REDIS_URL = 'unix:///run/redis/hubwire.sock' } = process.env

/** @type {Hub<import('hubwire').WebSocket>} */
export const hub = new Hub({ relay: redisRelay(createClient({ url: REDIS_URL })) })
