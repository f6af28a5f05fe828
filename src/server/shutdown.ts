import { checkNumber } from '../options/checks.js'
import { CloseCode, encodeClose } from '../protocol/close-codes.js'
import { connectionOf, type WebSocket } from '../websocket/websocket.js'

/** How a server ends. */
export interface ShutdownOptions {
  /** The code of the Close frames; 1001 (going away) by default. 1012 asks to come back (service restart). */
  code?: number
  /** At most 123 octets of UTF-8; none by default. */
  reason?: string
  /** Milliseconds until those that have not completed the closing handshake are ended; 10,000 by default. */
  timeout?: number
  /**
   * Milliseconds over which the Close frames are spread at random, so that not all clients come back at once; 0 by
   * default.
   */
  spread?: number
}

/** What a shutdown came to. */
export interface ShutdownResult {
  /** Connections that completed the closing handshake. */
  closed: number
  /** Connections that did not, and were ended. */
  terminated: number
}

const DEFAULT_TIMEOUT = 10_000

/** How many times within a spread a few are closed. */
const STEPS = 100

/**
 * Completes and checks the options.
 *
 * @throws TypeError when the code may not be sent
 * @throws RangeError when the reason is too long, or the spread longer than the timeout
 */
export function shutdownOptions({
  code = CloseCode.goingAway,
  reason = '',
  timeout = DEFAULT_TIMEOUT,
  spread = 0,
}: ShutdownOptions): Required<ShutdownOptions> {
  encodeClose(code, reason)
  checkNumber('timeout', timeout, 0)
  checkNumber('spread', spread, 0)
  if (spread > 0 && spread >= timeout) {
    throw new RangeError(
      `spread (${spread}) must be shorter than timeout (${timeout}), which ends what is open`,
    )
  }
  return { code, reason, timeout, spread }
}

/** Begins the closing handshake with all sockets; whoever closes is counted in the result, which is complete when all have. */
export function closeAll<User>(
  sockets: Iterable<WebSocket<User>>,
  { code, reason, timeout, spread }: Required<ShutdownOptions>,
): ShutdownResult {
  const result: ShutdownResult = { closed: 0, terminated: 0 }
  const open = [...sockets]
  for (const socket of open) {
    socket.once('close', (_code, _reason, { wasClean }) => {
      if (wasClean) result.closed++
      else result.terminated++
    })
  }
  // The one who called has said how long to wait.
  const close = (socket: WebSocket): void => {
    connectionOf(socket)?.close(code, reason, timeout)
  }
  if (spread === 0) open.forEach(close)
  else closeSpread(open, close, spread)
  return result
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

/** Those who connected together, a room or a proxy's worth, are not to come back together. */
function shuffle(items: unknown[]): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1))
    const item = items[last]
    items[last] = items[other]
    items[other] = item
  }
}
