/** Milliseconds without a byte after which a connection counts as dead. Every node writes and receives each second. */
export const SOCKET_TIMEOUT = 15_000

/** Milliseconds between two PINGs. */
export const PING_INTERVAL: number = SOCKET_TIMEOUT / 3

/** The longest pause between two attempts to connect, in milliseconds, without its jitter. */
const MAX_RETRY_DELAY = 500

/** Milliseconds to wait before an attempt to connect, random so that nodes do not all reconnect at once. */
export function retryDelay(attempt: number): number {
  return Math.min(MAX_RETRY_DELAY, 50 * 2 ** Math.min(attempt, 10)) + Math.floor(Math.random() * 200)
}

/** Called by a connection for its relay. */
export interface ConnectionEvents {
  /** Whether commands can be sent. */
  ready(isReady: boolean): void
  message(channel: string, payload: Buffer): void
  error(error: Error): void
}

/** One connection to Redis, by either client. */
export interface RedisConnection {
  open(events: ConnectionEvents): void
  publish(channel: string, payload: Buffer): Promise<number>
  subscribe(channels: readonly string[]): Promise<unknown>
  unsubscribe(channels: readonly string[]): Promise<unknown>
  ping(): Promise<unknown>
  close(): void
}
