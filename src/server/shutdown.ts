import { checkMilliseconds, checkOptions, withoutNulls } from '../options/checks.js'
import { describe } from '../options/describe.js'
import { checkNames } from '../options/spelling.js'
import { CloseCode, encodeClose } from '../protocol/close-codes.js'
import { connectionOf, type WebSocket } from '../websocket/websocket.js'
import type { Clients } from './clients.js'

/** How a server shuts down. */
export interface ShutdownOptions {
  /** The code of the Close frames; 1001 (going away) by default. 1012 asks clients to reconnect (service restart). */
  code?: number
  /** At most 123 bytes of UTF-8; none by default. */
  reason?: string
  /**
   * Milliseconds after which connections that have not completed the closing handshake are terminated; 10,000 by
   * default, `Infinity` for never.
   */
  timeout?: number
  /**
   * Milliseconds over which the Close frames are spread at random, so that not all clients reconnect at once; 0 by
   * default.
   */
  spread?: number
}

/** The result of a shutdown. */
export interface ShutdownResult {
  /** Connections that completed the closing handshake. */
  closed: number
  /** Connections that did not, and were terminated. */
  terminated: number
}

const DEFAULT_TIMEOUT = 10_000

/** How many steps a spread has. */
const STEPS = 100

/**
 * Completes and checks the options.
 *
 * @throws TypeError if the code must not be sent, or something is of the wrong type
 * @throws RangeError if the reason is too long, a time is out of range, or the spread is not shorter than the timeout
 */
export function shutdownOptions(options: ShutdownOptions): Required<ShutdownOptions> {
  checkOptions('shutdown()', options, `{ timeout: ${describe(options)} }`)
  const {
    code = CloseCode.goingAway,
    reason = '',
    timeout = DEFAULT_TIMEOUT,
    spread = 0,
  } = withoutNulls(options)
  checkNames(options, ['code', 'reason', 'timeout', 'spread'])
  if (typeof reason !== 'string') throw new TypeError(`reason must be a string; it is ${describe(reason)}`)
  encodeClose(code, reason)
  checkMilliseconds('timeout', timeout)
  checkMilliseconds('spread', spread)
  if (spread > 0 && spread >= timeout) {
    throw new RangeError(
      `spread (${spread}) must be shorter than timeout (${timeout}), which terminates the connections`,
    )
  }
  return { code, reason, timeout, spread }
}

/**
 * Begins the closing handshake on all sockets. Each socket that closes is counted in the result, which is complete when
 * all have closed.
 * @internal
 */
export function closeAll<User>(
  clients: Clients<User>,
  { code, reason, spread }: Required<ShutdownOptions>,
): ShutdownResult {
  const result: ShutdownResult = { closed: 0, terminated: 0 }
  const open = [...clients.sockets]
  const pending = new Set<WebSocket>(open)
  const stop = clients.onClosed((socket, { wasClean }) => {
    if (!pending.delete(socket)) return
    if (wasClean) result.closed++
    else result.terminated++
    if (pending.size === 0) stop()
  })
  if (pending.size === 0) stop()
  // All share one timeout: closeTimeout does not apply, and `expireAll` ends those that are late.
  const close = (socket: WebSocket): void => {
    connectionOf(socket)?.close(code, reason, Infinity)
  }
  if (spread === 0) open.forEach(close)
  else closeSpread(open, close, spread)
  return result
}

/** Ends all sockets because the time of a shutdown is over. @internal */
export function expireAll<User>({ sockets }: Clients<User>): void {
  for (const socket of sockets) connectionOf(socket)?.expire()
}

function closeSpread(open: WebSocket[], close: (socket: WebSocket) => void, spread: number): void {
  shuffle(open)
  const each = Math.ceil(open.length / STEPS)
  const step = (): void => {
    open.splice(-each).forEach(close)
    if (open.length === 0) clearInterval(timer)
  }
  const timer = setInterval(step, spread / Math.ceil(open.length / each))
  step()
}

/** Clients that connected together, from one page or through one proxy, should not reconnect together. */
function shuffle(items: unknown[]): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1))
    const item = items[last]
    items[last] = items[other]
    items[other] = item
  }
}
