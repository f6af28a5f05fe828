import { createAdapter } from '@socket.io/redis-streams-adapter'
import { socketIo } from './stubs.js'

export const { join, textOf, connectPublisher } = socketIo(([client]) => createAdapter(client))
