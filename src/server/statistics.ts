import type { CloseDetails } from '../connection/connection-events.js'
import type { RefusalReason } from '../connection/diagnostics.js'
import type { Traffic } from '../sending/traffic.js'
import { connectionOf, type WebSocket } from '../websocket/websocket.js'

/** What a server has done since its start; see {@link WebSocketServer.stats}. */
export interface ServerStats {
  /** Connections that are open or closing. */
  connections: number
  /** Connections accepted since the start, including those that `refuse.close` refused. */
  accepted: number
  /** Complete messages. A broadcast counts once for each member; messages beyond `messageRate` do not count. */
  messages: { received: number; sent: number }
  /**
   * The bytes of frames that were received, and that the operating system has taken. Opening handshakes are not
   * counted.
   */
  bytes: { received: number; sent: number }
  /** The bytes that are queued for all peers together. */
  bufferedAmount: number
  /**
   * Refused handshakes by reason. If several servers share an `http.Server` and none of them handles a path, only the
   * channel `hubwire:refused` reports it.
   */
  refused: Partial<Record<RefusalReason, number>>
  /**
   * Connections that ended without a closing handshake, by the code of the cause (`'WS_ERR_INVALID_UTF8'`,
   * `'ECONNRESET'`), or `'none'`.
   */
  terminated: Record<string, number>
  /** Listeners, callbacks and route handlers that threw or rejected. */
  failedHandlers: number
}

/** Counts what a server has done. The counters of the sockets are added up on request. @internal */
export class Statistics {
  readonly #traffic: Traffic
  readonly #refused = new Map<RefusalReason, number>()
  readonly #terminated = new Map<string, number>()
  /** Bytes of the closed connections. */
  #received = 0
  #sent = 0
  #accepted = 0
  #failedHandlers = 0

  constructor(traffic: Traffic) {
    this.#traffic = traffic
  }

  accepted(): void {
    this.#accepted++
  }

  refused(reason: RefusalReason): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1)
  }

  handlerFailed(): void {
    this.#failedHandlers++
  }

  closed(socket: WebSocket, { wasClean, cause }: CloseDetails): void {
    const { received, sent } = bytesOf(socket)
    this.#received += received
    this.#sent += sent
    if (wasClean) return
    const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? 'none'
    this.#terminated.set(code, (this.#terminated.get(code) ?? 0) + 1)
  }

  /** @param sockets - those that are not closed yet */
  snapshot(sockets: ReadonlySet<WebSocket>): ServerStats {
    const bytes = { received: this.#received, sent: this.#sent }
    let bufferedAmount = 0
    for (const socket of sockets) {
      const { received, sent } = bytesOf(socket)
      bytes.received += received
      bytes.sent += sent
      bufferedAmount += socket.bufferedAmount
    }
    return {
      connections: sockets.size,
      accepted: this.#accepted,
      messages: { received: this.#traffic.received, sent: this.#traffic.sent },
      bytes,
      bufferedAmount,
      refused: Object.fromEntries(this.#refused),
      terminated: Object.fromEntries(this.#terminated),
      failedHandlers: this.#failedHandlers,
    }
  }
}

function bytesOf(socket: WebSocket): { received: number; sent: number } {
  return connectionOf(socket)?.bytes ?? { received: 0, sent: 0 }
}
