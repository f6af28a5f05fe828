import { Redis } from 'ioredis'
import { createClient } from 'redis'

/** @param {string} path of the unix socket */
export const redisClient = (path) => createClient({ socket: { path, tls: false } })

/** @param {string} path of the unix socket */
export const ioredisClient = (path) => new Redis({ path, lazyConnect: true })
