// The hub of the server and of the command, like CHANNEL_LAYERS in the settings.py of a Django site.
import { Hub } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'

const { REDIS_URL = 'redis://127.0.0.1:6379' } = process.env

const client = createClient({ url: REDIS_URL })
export const hub = new Hub({ relay: redisRelay(client, { prefix: 'chat:' }) })
