import type { RelayHistory } from './history.js'
import { checkInteger, checkMilliseconds, LONGEST_TIMER, withoutNulls } from '../options/checks.js'

/** How a hub uses its relay. Every node of a cluster must have the same `prefix`, `plain` and `maxPayload`. */
export interface RelayOptions {
  /** The prefix of all channel names; `'hubwire:'` by default. Hubs with different prefixes are independent. */
  prefix?: string | null | undefined
  /**
   * Also delivers what any program publishes as text on `<prefix>plain:<name of the group>`; `false` by default. Such
   * messages have no sequence numbers, so that a lost one causes no `'gap'`.
   */
  plain?: boolean | null | undefined
  /** The longest message that is relayed or taken from the broker, in bytes; 1 MiB by default. */
  maxPayload?: number | null | undefined
  /** Milliseconds between the messages by which nodes know of each other and detect losses; 1,000 by default. */
  heartbeatInterval?: number | null | undefined
  /** Milliseconds for which `count()`, `closeEverywhere()` and `nodes()` wait for other nodes; 2,000 by default. */
  requestTimeout?: number | null | undefined
  /** Milliseconds within which other nodes can report what was missed while disconnected; 5,000 by default. */
  recoveryTimeout?: number | null | undefined
  /** Milliseconds for which a group stays subscribed when its last member has left; 5,000 by default. */
  unsubscribeDelay?: number | null | undefined
}

/** @internal */
export type RelaySettings = { readonly [Name in keyof RelayOptions]-?: NonNullable<RelayOptions[Name]> }

/** The state of a relay's connection to its broker. */
export interface RelayConnection {
  /** Whether `publish` can be called. */
  readonly canPublish: boolean
  /**
   * Whether messages arrive, and `subscribe` and `unsubscribe` can be called. When it becomes `true` again, the
   * subscriptions that had been acknowledged are back, or are restored in front of every later `subscribe`.
   */
  readonly canReceive: boolean
}

/** Called by a relay for its hub. */
export interface RelayEvents {
  /** The state of the connection has changed. It is not called with the state that it already has. */
  connection(state: RelayConnection): void
  /** A message arrived. The bytes must not change afterwards; they may be a view of a larger Buffer. */
  message(channel: string, payload: Buffer): void
  /** The broker refuses this client, for example because of a wrong password. The message says what to do. */
  misconfigured(error: Error): void
}

/**
 * A connection to a broker, through which the hubs of several processes communicate. A hub calls `open` once and
 * `close` at most once. Write your own for another broker, and run `relayChecks` of `hubwire/testing` on it.
 *
 * What a hub relies on: a message goes to every subscriber of its channel, once at most. The messages of one node
 * arrive in the order in which it published them, even on different channels. A message may be lost. A relay
 * stores nothing: it neither queues messages while it is disconnected nor sends them again.
 */
export interface Relay {
  /** The hub's options. */
  readonly options?: RelayOptions | null | undefined
  /** Begins to connect, and reconnects automatically until `close`. Reports network failures only with `connection`. */
  open(events: RelayEvents): void
  /**
   * Publishes bytes. Accepts them synchronously, and settles when the broker has replied: with the number of subscribers,
   * if it is known.
   */
  publish(channel: string, payload: Buffer): Promise<number | undefined>
  /** Subscribes to channels; settles when the broker has acknowledged all of them. */
  subscribe(channels: readonly string[]): Promise<unknown>
  /** Ends subscriptions; settles when the broker has acknowledged it. */
  unsubscribe(channels: readonly string[]): Promise<unknown>
  /** Ends the connection permanently, whatever its state. No event follows. */
  close(): Promise<void>
  /** Keeps what groups with a history publish; without it, groups cannot have one. */
  readonly history?: RelayHistory | undefined
}

/**
 * Several relays, each for a part of the groups: for a broker that keeps the order of messages only within partitions. A
 * group always belongs to the same one, and the partitions fail and recover independently.
 */
export interface PartitionedRelay {
  /** The hub's options. */
  readonly options?: RelayOptions | null | undefined
  /** The same number in all processes, in the same order. They must not see each other's channels. */
  readonly partitions: readonly Relay[]
}

/** @internal */
export function toRelaySettings(options: RelayOptions | null | undefined): RelaySettings {
  const given = withoutNulls(options ?? {}) as Partial<RelaySettings>
  const settings: RelaySettings = {
    prefix: 'hubwire:',
    plain: false,
    maxPayload: 1024 * 1024,
    heartbeatInterval: 1000,
    requestTimeout: 2000,
    recoveryTimeout: 5000,
    unsubscribeDelay: 5000,
    ...given,
  }
  if (typeof settings.prefix !== 'string') {
    throw new TypeError(`prefix must be a string; it is ${typeof settings.prefix}`)
  }
  if (typeof settings.plain !== 'boolean') {
    throw new TypeError(`plain must be true or false; it is ${String(settings.plain)}`)
  }
  checkInteger('maxPayload', settings.maxPayload, 1, 2 ** 29)
  checkInteger('heartbeatInterval', settings.heartbeatInterval, 1, LONGEST_TIMER)
  checkMilliseconds('requestTimeout', settings.requestTimeout, 1)
  checkMilliseconds('recoveryTimeout', settings.recoveryTimeout, 1)
  checkMilliseconds('unsubscribeDelay', settings.unsubscribeDelay)
  return settings
}

const METHODS = ['open', 'publish', 'subscribe', 'unsubscribe', 'close'] as const

/** @throws TypeError when it is not a relay */
export function checkRelay(relay: unknown): asserts relay is Relay | PartitionedRelay {
  const { partitions } = (relay ?? {}) as { partitions?: unknown }
  if (Array.isArray(partitions) ? partitions.length > 0 && partitions.every(isRelay) : isRelay(relay)) return
  throw new TypeError(
    'relay must be a relay, such as redisRelay(client) of hubwire/redis: ' +
      `an object with the methods ${METHODS.join(', ')}`,
  )
}

function isRelay(relay: unknown): boolean {
  const candidate = relay as Partial<Record<keyof Relay, unknown>> | null
  return (
    typeof candidate === 'object' &&
    candidate !== null &&
    METHODS.every((name) => typeof candidate[name] === 'function') &&
    checkHistory(candidate.history)
  )
}

function checkHistory(history: unknown): true {
  const { append, read } = (history ?? {}) as Partial<Record<keyof RelayHistory, unknown>>
  if (history === undefined || history === null) return true
  if (typeof append === 'function' && typeof read === 'function') return true
  throw new TypeError('The history of a relay must be an object with append and read, or undefined')
}

/** For a relay that is given to a second hub. @internal */
export function usedTwiceError(): Error {
  return new Error('A relay serves one hub: create a relay for each hub')
}

/** For a relay that no hub has opened, or that is closed. @internal */
export function relayNotOpenError(): Error {
  return new Error('The relay is not open: give it to a hub, new Hub({ relay })')
}
