import { once } from 'node:events'
import type { WebSocket, WebSocketServerOptions } from 'hubwire'

/** The time after which a proxy in these tests cuts a silent connection, in the words of nginx and haproxy alike. */
export const PROXY_TIMEOUT = '3s'

/** A heartbeat that speaks ten times within it, so that a busy machine may well be late. */
export const HEARTBEAT = { interval: 300, timeout: 20_000 } satisfies WebSocketServerOptions['heartbeat']

/** So many intervals are longer than the proxy's time. */
const PINGS = 12

/** Returns when the connection, on which nobody speaks, has been idle for longer than the proxy allows. */
export async function outlastProxy(client: WebSocket): Promise<void> {
  for (let count = 0; count < PINGS; count++) await once(client, 'ping')
}
