import { ignore } from '../../options/ignore.js'
import { type ConnectionEvents, PING_INTERVAL, type RedisConnection } from './connection.js'
import { retryDelay, SOCKET_TIMEOUT } from './connection.js'

/** The members of a client of the package `ioredis` that are used. */
export interface IoredisClient {
  readonly status: string
  duplicate(overrides: object): IoredisClient
  connect(): Promise<unknown>
  publish(channel: string, payload: Buffer): Promise<number>
  subscribe(channels: string[]): Promise<unknown>
  unsubscribe(channels: string[]): Promise<unknown>
  ping(): Promise<unknown>
  disconnect(): void
  on(event: 'messageBuffer', listener: (channel: Buffer, payload: Buffer) => void): unknown
  on(event: string, listener: (error: Error) => void): unknown
}

/**
 * A connection by the package `ioredis`. Its own way to restore subscriptions loses them when the connection breaks
 * again meanwhile, with an unhandled rejection, so they are restored here.
 */
export class IoredisConnection implements RedisConnection {
  readonly #client: IoredisClient
  readonly #subscribed = new Set<string>()
  #pings: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(client: IoredisClient) {
    this.#client = client.duplicate({
      lazyConnect: true,
      // Otherwise messages published while disconnected would be sent later: outdated, and without a limit.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: null,
      enableAutoPipelining: true,
      keyPrefix: '',
      commandTimeout: undefined,
      socketTimeout: SOCKET_TIMEOUT,
      retryStrategy: retryDelay,
      reconnectOnError: null,
    })
  }

  open(events: ConnectionEvents): void {
    const client = this.#client
    const report = (isReady: boolean): void => {
      if (!this.#isClosed) events.ready(isReady)
    }
    client.on('messageBuffer', (channel: Buffer, payload: Buffer) => {
      if (!this.#isClosed) events.message(channel.toString(), payload)
    })
    client.on('ready', () => {
      if (this.#subscribed.size > 0) client.subscribe([...this.#subscribed]).catch(ignore)
      report(true)
    })
    client.on('close', () => report(false))
    client.on('error', (error) => {
      if (!this.#isClosed) events.error(error)
    })
    // Its timeout counts from a command on; a subscriber gives none.
    this.#pings = setInterval(() => {
      if (client.status === 'ready') client.ping().catch(ignore)
    }, PING_INTERVAL).unref()
    // It tries again by itself.
    client.connect().catch(ignore)
  }

  publish(channel: string, payload: Buffer): Promise<number> {
    return this.#client.publish(channel, payload)
  }

  async subscribe(channels: readonly string[]): Promise<unknown> {
    const count = await this.#client.subscribe([...channels])
    for (const channel of channels) this.#subscribed.add(channel)
    return count
  }

  async unsubscribe(channels: readonly string[]): Promise<unknown> {
    const count = await this.#client.unsubscribe([...channels])
    for (const channel of channels) this.#subscribed.delete(channel)
    return count
  }

  ping(): Promise<unknown> {
    return this.#client.ping()
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#pings)
    this.#client.disconnect()
  }
}
