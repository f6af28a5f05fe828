import type { WebSocket } from '../websocket.js'

/** What a shutdown came to. */
export interface ShutdownResult {
  /** Connections that completed the closing handshake. */
  closed: number
  /** Connections that did not, and were ended. */
  terminated: number
}

/** Begins the closing handshake with all sockets; whoever closes is counted in the result, which is complete when all have. */
export function closeAll<User>(
  sockets: Iterable<WebSocket<User>>,
  code: number,
  reason: string,
): ShutdownResult {
  const result: ShutdownResult = { closed: 0, terminated: 0 }
  for (const socket of sockets) {
    socket.once('close', (_code, _reason, { wasClean }) => {
      if (wasClean) result.closed++
      else result.terminated++
    })
    socket.close(code, reason)
  }
  return result
}
