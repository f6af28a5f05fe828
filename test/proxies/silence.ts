import { once } from 'node:events'
import type { WebSocket, WebSocketServerOptions } from 'hubwire'
import { expect } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { inbox } from '../support/inbox.js'

/** The time after which the proxies in these tests close a silent connection, in the notation of nginx and haproxy. */
export const PROXY_TIMEOUT = '3s'

/** A heartbeat with ten intervals within it, so that delays of a busy machine do not matter. */
export const HEARTBEAT = { interval: 300, timeout: 20_000 } satisfies WebSocketServerOptions['heartbeat']

/** This many intervals are longer than the proxy's timeout. */
const PINGS = 12

/** Expects that a silent connection with heartbeats outlasts the proxy's timeout. */
export async function expectKept(client: WebSocket, socket: WebSocket): Promise<void> {
  for (let count = 0; count < PINGS; count++) await once(client, 'ping')
  client.send('still there?')
  expect(await inbox(socket).next()).toBe('still there?')
  client.terminate()
}

/** Expects that the proxy closes a connection without heartbeats, without a Close frame. */
export async function expectCut(client: WebSocket, socket: WebSocket): Promise<void> {
  const closed = { code: 1006, wasClean: false }
  expect(await Promise.all([closeOf(client), closeOf(socket)])).toMatchObject([closed, closed])
}
