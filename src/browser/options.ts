import { environment, type Sendable, type SocketClass } from './environment.js'

/** The argument of the URL function: details of the attempt. */
export interface Attempt<Position = unknown> {
  /** 1 for the first attempt, and for the first after a stable connection. */
  readonly attempt: number
  /** The last position that `position` returned; `undefined` before the first. */
  readonly position: Position | undefined
  /**
   * The Close code of the last connection, `undefined` before the first. After 4401 a cached token is no longer valid.
   */
  readonly code: number | undefined
  /** Aborted when the attempt is abandoned, for `fetch(…, { signal })`. */
  readonly signal: AbortSignal
}

/** A URL: `ws:`, `wss:`, `http:` or `https:`, or relative to the page. */
export type Url = string | URL

/** A URL, or a function that returns one. The function is called for each attempt, so that it can fetch a fresh token. */
export type UrlSource<Position = unknown> =
  Url | PromiseLike<Url> | ((attempt: Attempt<Position>) => Url | PromiseLike<Url>)

/** How a connection ended, for `shouldReconnect`. */
export interface CloseInfo {
  /** The Close code, 1006 if there was none (RFC 6455 section 7.1.5). */
  readonly code: number
  readonly reason: string
  readonly wasClean: boolean
}

/** How a silent server is detected. */
export interface PingOptions {
  /** What to send; `'{"action":"ping"}'` by default, which hubwire's `answerPings(socket)` answers. */
  message?: Sendable | null
  /**
   * Whether a message is the answer, which is not delivered to the page. By default, text that begins with
   * `{"type":"pong"`, with any white space.
   */
  isAnswer?: ((data: unknown) => boolean) | null
  /** Milliseconds of silence before a ping; 25,000 by default. */
  interval?: number | null
  /** Milliseconds within which the server must then send something; 10,000 by default. */
  timeout?: number | null
}

/**
 * Bounds of the delays between attempts, in milliseconds. Each delay is a random number from `min` to an upper bound,
 * which is `first` at first, doubles with each failure, and never exceeds `max`. The range makes the clients of a
 * restarted server reconnect spread over time.
 */
export interface DelayOptions {
  /** 250 by default. */
  min?: number | null
  /** 2,000 by default. */
  first?: number | null
  /** 30,000 by default. */
  max?: number | null
}

/** Options of a `ReconnectingWebSocket`. `null` means the default, as `undefined` does. */
export interface ReconnectingOptions<Position = unknown> {
  /** The subprotocols to offer, in order of preference. */
  protocols?: string | readonly string[] | null
  /** What binary messages arrive as; `'blob'` by default. */
  binaryType?: 'blob' | 'arraybuffer' | null
  /** The class that connects; the global `WebSocket` by default. Node.js has one from version 22 on. */
  WebSocket?: SocketClass | null
  delay?: DelayOptions | null
  /** Milliseconds that an attempt may take, the URL function included; 10,000 by default. */
  connectTimeout?: number | null
  /** Milliseconds after which an open connection counts as stable, and failures are forgotten; 5,000 by default. */
  stableAfter?: number | null
  /**
   * Sends a ping when the server has been silent, and abandons the connection if it stays silent; `{}` for the defaults.
   * Off by default, because a server that does not support the ping would treat it as a message.
   */
  ping?: PingOptions | null
  /** How many messages are queued while there is no connection; 0 by default. */
  queue?: number | null
  /** Decides whether to reconnect after a connection has ended. With `undefined` the Close code decides. */
  shouldReconnect?: ((close: CloseInfo) => boolean | undefined) | null
  /** Returns the position of a message in the stream of messages; `undefined` keeps the last one. */
  position?: ((data: unknown) => Position | undefined) | null
  /**
   * Reads from the first messages of a connection that asked for a position whether the server could resume there;
   * `undefined` if the message does not say so. The answer is reported as a `'recovery'` event.
   */
  isRecovered?: ((data: unknown) => boolean | undefined) | null
  /** Called with at most one line per outage; `console.warn` by default, `false` for none. */
  log?: ((line: string) => void) | false | null
}

/** @internal */
export interface PingSettings {
  readonly message: Sendable
  readonly isAnswer: (data: unknown) => boolean
  readonly interval: number
  readonly timeout: number
}

/** The options with their defaults, checked. @internal */
export interface Settings<Position> extends Omit<ReconnectingOptions<Position>, 'log'> {
  readonly WebSocket: SocketClass
  readonly protocols: string[]
  readonly binaryType: 'blob' | 'arraybuffer'
  readonly min: number
  readonly first: number
  readonly max: number
  readonly connectTimeout: number
  readonly stableAfter: number
  readonly pinging: PingSettings | undefined
  readonly queue: number
  readonly log: (line: string) => void
}

/** The longest delay of a timer; with a longer one it would fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1

/** @internal */
export function readOptions<Position>(options: ReconnectingOptions<Position>): Settings<Position> {
  const { delay, ping, protocols, log } = options
  const WebSocket = options.WebSocket ?? environment.WebSocket
  if (WebSocket === undefined) {
    throw new TypeError('There is no global WebSocket here: give a class as the option WebSocket')
  }
  const min = check('delay.min', delay?.min, 250)
  const max = check('delay.max', delay?.max, 30_000, min)
  return {
    ...options,
    WebSocket,
    protocols: typeof protocols === 'string' ? [protocols] : [...(protocols ?? [])],
    binaryType: options.binaryType ?? 'blob',
    min,
    max,
    first: check('delay.first', delay?.first, Math.min(Math.max(2000, min), max), min),
    connectTimeout: check('connectTimeout', options.connectTimeout, 10_000, 1),
    stableAfter: check('stableAfter', options.stableAfter, 5000),
    pinging: ping
      ? {
          message: ping.message ?? '{"action":"ping"}',
          isAnswer: ping.isAnswer ?? isPong,
          interval: check('ping.interval', ping.interval, 25_000, 1),
          timeout: check('ping.timeout', ping.timeout, 10_000, 1),
        }
      : undefined,
    queue: check('queue', options.queue, 0),
    log:
      log === false
        ? () => undefined
        : (log ??
          ((line) => {
            console.warn(line)
          })),
  }
}

function isPong(data: unknown): boolean {
  return typeof data === 'string' && /^\s*{\s*"type"\s*:\s*"pong"/.test(data)
}

function check(name: string, given: number | null | undefined, standard: number, least = 0): number {
  const value = given ?? standard
  if (typeof value === 'number' && value >= least && value <= LONGEST_TIMER) return value
  throw new RangeError(`${name} must be a number from ${least} to ${LONGEST_TIMER}; it is ${String(value)}`)
}
