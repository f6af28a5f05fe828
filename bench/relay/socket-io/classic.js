import { createAdapter } from '@socket.io/redis-adapter'
import { socketIo } from './stubs.js'

export const { join, textOf, connectPublisher } = socketIo(([publishing, subscribing]) =>
  createAdapter(publishing, subscribing),
)
