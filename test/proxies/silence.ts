import { once } from 'node:events'
import type { WebSocket, WebSocketServerOptions } from 'hubwire'

/** The time after which the proxies in these tests close a silent connection, in the notation of nginx and haproxy. */
export const PROXY_TIMEOUT = '3s'

/** A heartbeat with ten intervals within it, so that delays of a busy machine do not matter. */
export const HEARTBEAT = { interval: 300, timeout: 20_000 } satisfies WebSocketServerOptions['heartbeat']

/** This many intervals are longer than the proxy's timeout. */
const PINGS = 12

/** Resolves when a connection without messages has been idle for longer than the proxy's timeout. */
export async function outlastProxy(client: WebSocket): Promise<void> {
  for (let count = 0; count < PINGS; count++) await once(client, 'ping')
}
