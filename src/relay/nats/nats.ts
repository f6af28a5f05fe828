/// <reference types="node" preserve="true" />
/**
 * Relays messages between the hubs of several processes by NATS.
 *
 * @packageDocumentation
 */
import { setImmediate } from 'node:timers/promises'
import { ignore } from '../../options/ignore.js'
import {
  type Relay,
  type RelayConnection,
  type RelayEvents,
  type RelayOptions,
  relayNotOpenError,
  toRelaySettings,
  usedTwiceError,
} from '../relay.js'
import { checkPrefix, subjectOf } from './subject.js'
import { Unflushed } from './unflushed.js'

export type { Relay, RelayConnection, RelayEvents, RelayOptions }

/** What is used of a connection of the package `@nats-io/transport-node`. */
export interface NatsClient {
  readonly info?: { readonly max_payload: number } | undefined
  publish(subject: string, payload: Uint8Array): void
  subscribe(
    subject: string,
    options: { callback: (error: Error | null, message: NatsMessage) => void },
  ): NatsSubscription
  flush(): Promise<void>
  status(): AsyncIterable<NatsStatus> & { stop?: () => void }
  isClosed(): boolean
}

/** A message of NATS, as far as it is used. */
export interface NatsMessage {
  readonly data: Uint8Array
}

/** A subscription of NATS, as far as it is used. */
export interface NatsSubscription {
  unsubscribe(): void
}

/** A status event of a NATS connection, as far as it is used. */
export interface NatsStatus {
  readonly type: string
  readonly error?: Error | undefined
}

/** What a connection was made with. Its types do not say that it is there. */
interface WithOptions {
  readonly options?: {
    readonly reconnect?: boolean
    readonly maxReconnectAttempts?: number
    readonly noEcho?: boolean
  }
}

/** Subscriptions that are made in a turn of the event loop: 100,000 at once hold it for 620 ms. */
const SUBSCRIPTIONS_A_TURN = 1000

/** What an envelope has besides the messages in it, at most. */
const ENVELOPE_LENGTH = 1024

/** Connections that do not hear themselves, and have a relay. */
const deafConnections = new WeakSet<NatsClient>()

/**
 * A relay by core NATS, for `new Hub({ relay })`. It publishes and subscribes on the connection that it is given, which
 * stays open when the hub is closed. Groups are single tokens of subjects: in their names a space, `.`, `*`, `>`, `%` and
 * control characters are percent-encoded. The prefix may have several tokens, such as `'chat.'`.
 *
 * @param connection - of `connect({ maxReconnectAttempts: -1 })` of `@nats-io/transport-node`; version 3 is tested
 * @param options - `maxPayload` is by default what the server takes, 1 MiB at most
 * @throws TypeError when it is no such connection, or would give up reconnecting
 * @throws RangeError when `maxPayload` is more than the server takes
 * @throws TypeError or RangeError when another option cannot be used
 */
export function natsRelay(connection: NatsClient, options?: RelayOptions | null): Relay {
  checkConnection(connection)
  const { prefix } = toRelaySettings(options)
  checkPrefix(prefix)
  return new NatsRelay(connection, prefix, { ...options, maxPayload: maxPayloadOf(connection, options) })
}

class NatsRelay implements Relay {
  readonly options: RelayOptions
  readonly #connection: NatsClient
  readonly #prefix: string
  readonly #isDeaf: boolean
  readonly #subscriptions = new Map<string, NatsSubscription>()
  readonly #unflushed: Unflushed
  #events: RelayEvents | undefined
  #wasOpened = false
  #isConnected = false
  #endStatus: (() => void) | undefined

  constructor(connection: NatsClient, prefix: string, options: RelayOptions) {
    this.#connection = connection
    this.#prefix = prefix
    this.options = options
    this.#isDeaf = (connection as WithOptions).options?.noEcho === true
    this.#unflushed = new Unflushed(connection)
  }

  open(events: RelayEvents): void {
    if (this.#wasOpened) throw usedTwiceError()
    if (this.#isDeaf && deafConnections.has(this.#connection)) {
      throw new Error(
        'A connection with noEcho serves one hub, because two hubs would not receive messages from each other: ' +
          'connect without noEcho, or once for each hub',
      )
    }
    this.#wasOpened = true
    this.#events = events
    if (this.#isDeaf) deafConnections.add(this.#connection)
    void this.#follow()
    // A reply proves that the connection works. After a loss, its 'reconnect' reports that.
    this.#unflushed.add().then(() => {
      this.#change(true)
    }, ignore)
  }

  async publish(channel: string, payload: Buffer): Promise<undefined> {
    this.#check()
    if (!this.#isConnected) throw new Error('The connection to NATS is lost: nothing was published')
    this.#connection.publish(subjectOf(this.#prefix, channel), payload)
    await this.#unflushed.add()
    // The server does not send a connection with noEcho its own messages.
    if (this.#isDeaf && this.#subscriptions.has(channel)) this.#events?.message(channel, payload)
  }

  async subscribe(channels: readonly string[]): Promise<void> {
    for (const [index, channel] of channels.entries()) {
      if (index > 0 && index % SUBSCRIPTIONS_A_TURN === 0) await setImmediate()
      this.#check()
      if (!this.#subscriptions.has(channel)) this.#subscriptions.set(channel, this.#subscribe(channel))
    }
    this.#check()
    await this.#unflushed.add()
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    this.#check()
    for (const channel of channels) {
      this.#subscriptions.get(channel)?.unsubscribe()
      this.#subscriptions.delete(channel)
    }
    await this.#unflushed.add()
  }

  close(): Promise<void> {
    this.#events = undefined
    deafConnections.delete(this.#connection)
    this.#endStatus?.()
    this.#unflushed.fail(new Error('The relay is closed'))
    if (!this.#connection.isClosed()) {
      for (const subscription of this.#subscriptions.values()) subscription.unsubscribe()
    }
    this.#subscriptions.clear()
    return Promise.resolve()
  }

  #check(): void {
    if (this.#events === undefined) {
      throw relayNotOpenError()
    }
  }

  #subscribe(channel: string): NatsSubscription {
    return this.#connection.subscribe(subjectOf(this.#prefix, channel), {
      callback: (error, { data }) => {
        if (error === null) {
          this.#events?.message(channel, Buffer.from(data.buffer, data.byteOffset, data.byteLength))
        } else {
          // The server has refused it: it is made again if the hub asks for it again.
          this.#subscriptions.delete(channel)
        }
      },
    })
  }

  /** Follows the connection until the relay or the connection is closed. */
  async #follow(): Promise<void> {
    const status = this.#connection.status()
    this.#endStatus = () => status.stop?.()
    for await (const change of status) {
      if (this.#events === undefined) return
      this.#take(change)
    }
  }

  #take({ type, error }: NatsStatus): void {
    if (type === 'reconnect') this.#change(true)
    else if (type === 'disconnect' || type === 'close') {
      this.#change(false)
      this.#unflushed.fail(new Error('The connection to NATS was lost: published messages may be lost too'))
    } else if (error?.name === 'PermissionViolationError' && error.message.includes(this.#prefix)) {
      const refusal = new Error(
        `NATS refuses the relay (${error.message}): allow its user to publish and subscribe to ${this.#prefix}>`,
        { cause: error },
      )
      // It does not say which message it refused.
      this.#unflushed.fail(refusal)
      this.#events?.misconfigured(refusal)
    }
  }

  #change(isConnected: boolean): void {
    if (isConnected === this.#isConnected) return
    this.#isConnected = isConnected
    this.#events?.connection({ canPublish: isConnected, canReceive: isConnected })
  }
}

function checkConnection(connection: unknown): asserts connection is NatsClient & WithOptions {
  const { publish, flush, status, isClosed, options } = (connection ?? {}) as Partial<
    NatsClient & WithOptions
  >
  if (
    options === undefined ||
    [publish, flush, status, isClosed].some((method) => typeof method !== 'function')
  ) {
    throw new TypeError(
      'natsRelay() takes a connection: await connect({ maxReconnectAttempts: -1 }) of @nats-io/transport-node. ' +
        `It was given ${connection === null ? 'null' : `a value of type ${typeof connection}`}`,
    )
  }
  if ((connection as NatsClient).isClosed()) {
    throw new TypeError('natsRelay() takes an open connection; this one is closed: connect again')
  }
  if (options.reconnect === false || options.maxReconnectAttempts !== -1) {
    throw new TypeError(
      'natsRelay() takes a connection that does not give up: ' +
        'connect with { maxReconnectAttempts: -1 }, and without { reconnect: false }',
    )
  }
}

/** What the hub may publish, so that its envelope is not more than the server takes. */
function maxPayloadOf(connection: NatsClient, options: RelayOptions | null | undefined): number {
  const { maxPayload } = toRelaySettings(options)
  const limit = connection.info?.max_payload
  if (limit === undefined) return maxPayload
  const longest = limit - ENVELOPE_LENGTH
  if (typeof options?.maxPayload === 'number' && maxPayload > longest) {
    throw new RangeError(
      `maxPayload is ${maxPayload}, but the NATS server takes ${longest} bytes besides the envelope: ` +
        'raise max_payload of the server, or lower maxPayload',
    )
  }
  return Math.min(maxPayload, longest)
}
