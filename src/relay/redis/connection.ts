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
export interface RedisConnectionEvents {
  /** Whether commands can be sent. */
  ready(isReady: boolean): void
  message(channel: string, payload: Buffer): void
  error(error: Error): void
}

/** What a relay does with a connection. */
export interface RedisConnection {
  open(events: RedisConnectionEvents): void
  publish(channel: string, payload: Buffer): Promise<number>
  /** Runs a script. Strings are answered as Buffers. */
  evaluate(command: 'EVALSHA' | 'EVAL', words: readonly (string | Buffer)[]): Promise<unknown>
  subscribe(channels: readonly string[]): Promise<unknown>
  unsubscribe(channels: readonly string[]): Promise<unknown>
  ping(): Promise<unknown>
  /** @param isDead - whether it no longer answers, so that nobody else should use it either */
  close(isDead?: boolean): void
}

/** One connection to one server, by either client. */
export interface ServerConnection extends RedisConnection {
  /** The same with SPUBLISH, SSUBSCRIBE and SUNSUBSCRIBE, in a cluster. All channels must have the same slot. */
  publishSharded(channel: string, payload: Buffer): Promise<number>
  subscribeSharded(channels: readonly string[]): Promise<unknown>
  unsubscribeSharded(channels: readonly string[]): Promise<unknown>
}

/** A server to which connections can be made. */
export interface Server {
  readonly host: string
  readonly port: number
  connect(): ServerConnection
}
