import { hubwire } from './hubwire.js'
import { redisClient } from './clients.js'

export const { join, textOf, connectPublisher } = hubwire(redisClient)
