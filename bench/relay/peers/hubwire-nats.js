import { hubwire } from './hubwire.js'
import { relays } from './relays.js'

export const { join, textOf, connectPublisher } = hubwire((address) => relays.nats?.(address))
