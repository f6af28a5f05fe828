import { ignore } from '../../options/ignore.js'
import { type RedisConnectionEvents, PING_INTERVAL, type ServerConnection } from './connection.js'
import { retryDelay, SOCKET_TIMEOUT } from './connection.js'

/** The members of a client of the package `ioredis` that are used. */
export interface IoredisClient {
  readonly status: string
  readonly options?: { readonly host?: string; readonly port?: number } | undefined
  duplicate(overrides: object): IoredisClient
  connect(): Promise<unknown>
  publish(channel: string, payload: Buffer): Promise<number>
  evalshaBuffer(...words: (string | Buffer)[]): Promise<unknown>
  evalBuffer(...words: (string | Buffer)[]): Promise<unknown>
  subscribe(channels: string[]): Promise<unknown>
  unsubscribe(channels: string[]): Promise<unknown>
  spublish(channel: string, payload: Buffer): Promise<number>
  ssubscribe(channels: string[]): Promise<unknown>
  sunsubscribe(channels: string[]): Promise<unknown>
  ping(): Promise<unknown>
  disconnect(reconnect?: boolean): void
  on(event: 'messageBuffer' | 'smessageBuffer', listener: (channel: Buffer, payload: Buffer) => void): unknown
  on(event: string, listener: (error: Error) => void): unknown
}

/**
 * A connection by the package `ioredis`. Its own way to restore subscriptions loses them when the connection breaks
 * again meanwhile, with an unhandled rejection, so they are restored here.
 */
export class IoredisConnection implements ServerConnection {
  readonly #client: IoredisClient
  readonly #subscribed = new Set<string>()
  #pings: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(client: IoredisClient) {
    this.#client = client.duplicate({
      lazyConnect: true,
      // Otherwise messages published while disconnected would be sent later: outdated, and without a limit.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      // Rejects what is unanswered when the connection is lost. With `null` it is dropped without an answer, and a publisher
      // whose pipeline it was would send nothing more.
      maxRetriesPerRequest: 0,
      enableAutoPipelining: true,
      keyPrefix: '',
      commandTimeout: undefined,
      socketTimeout: SOCKET_TIMEOUT,
      retryStrategy: retryDelay,
      reconnectOnError: null,
      // Otherwise a client with sentinels that gave up once would never connect again, or would publish to a replica.
      sentinelRetryStrategy: retryDelay,
      // Otherwise the connection would stay until the sentinels demote an old master that is still running, 10 s later.
      failoverDetector: true,
      role: 'master',
    })
  }

  open(events: RedisConnectionEvents): void {
    const client = this.#client
    const report = (isReady: boolean): void => {
      if (!this.#isClosed) events.ready(isReady)
    }
    // What is not restored would not arrive any more: the connection is made again, until Redis agrees.
    const refused = (error: unknown): void => {
      if (this.#isClosed || client.status !== 'ready') return
      events.error(error as Error)
      client.disconnect(true)
    }
    const take = (channel: Buffer, payload: Buffer): void => {
      if (!this.#isClosed) events.message(channel.toString(), payload)
    }
    client.on('messageBuffer', take)
    client.on('smessageBuffer', take)
    client.on('ready', () => {
      if (this.#subscribed.size === 0) report(true)
      else client.subscribe([...this.#subscribed]).then(() => report(true), refused)
    })
    client.on('close', () => report(false))
    // The slot of a channel has moved to another server.
    client.on('moved', () => report(false))
    client.on('error', (error) => {
      if (!this.#isClosed) events.error(error)
    })
    // Its timeout counts from a command on; a subscriber gives none.
    this.#pings = setInterval(() => {
      if (client.status === 'ready') client.ping().catch(ignore)
    }, PING_INTERVAL).unref()
    client.on('end', () => this.#connectAgain())
    client.connect().catch(ignore)
  }

  publish(channel: string, payload: Buffer): Promise<number> {
    return this.#client.publish(channel, payload)
  }

  evaluate(command: 'EVALSHA' | 'EVAL', words: readonly (string | Buffer)[]): Promise<unknown> {
    return command === 'EVAL' ? this.#client.evalBuffer(...words) : this.#client.evalshaBuffer(...words)
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

  publishSharded(channel: string, payload: Buffer): Promise<number> {
    return this.#client.spublish(channel, payload)
  }

  subscribeSharded(channels: readonly string[]): Promise<unknown> {
    return this.#client.ssubscribe([...channels])
  }

  unsubscribeSharded(channels: readonly string[]): Promise<unknown> {
    return this.#client.sunsubscribe([...channels])
  }

  ping(): Promise<unknown> {
    return this.#client.ping()
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#pings)
    clearTimeout(this.#retry)
    this.#client.disconnect()
  }

  /** It tries again by itself, but ends for good when its detector reports a failover while it connects. */
  #connectAgain(): void {
    if (this.#isClosed) return
    this.#retry = setTimeout(() => {
      this.#client.connect().catch(ignore)
    }, retryDelay(0))
  }
}
