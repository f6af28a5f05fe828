import { hubwire } from './hubwire.js'
import { ioredisClient } from './clients.js'

export const { join, textOf, connectPublisher } = hubwire(ioredisClient)
