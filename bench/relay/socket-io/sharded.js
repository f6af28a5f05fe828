import { createShardedAdapter } from '@socket.io/redis-adapter'
import { socketIo } from './stubs.js'

export const { join, textOf, connectPublisher } = socketIo(([publishing, subscribing]) =>
  createShardedAdapter(publishing, subscribing),
)
