import type { Traffic } from '../sending/traffic.js'
import { connectionOf, type WebSocket } from '../websocket/websocket.js'
import type { RefusalReason } from '../connection/diagnostics.js'

/** What a server has done since its start; see {@link WebSocketServer.stats}. */
export interface ServerStats {
  /** Connections that are open or closing. */
  connections: number
  /** Connections that were accepted since the start, those among them that a Close frame refused. */
  accepted: number
  /** Whole messages, broadcasts counted for each member; what came too fast is not among them. */
  messages: { received: number; sent: number }
  /** What the connections' sockets have read and written, the opening handshakes included. */
  bytes: { received: number; sent: number }
  /** Bytes that wait for all peers together. */
  bufferedAmount: number
  /**
   * Handshakes that were refused, by reason. A path that none of several servers on one `http.Server` owns is told on
   * the channel `hubwire:refused` alone.
   */
  refused: Partial<Record<RefusalReason, number>>
  /**
   * Connections that ended without a closing handshake, by the code of the cause (`'WS_ERR_INVALID_UTF8'`,
   * `'ECONNRESET'`); `'none'` where one end left without any.
   */
  terminated: Record<string, number>
}

/** Counts what a server has done. What the sockets count themselves is added up when somebody asks. */
export class Statistics {
  readonly #traffic: Traffic
  readonly #refused = new Map<RefusalReason, number>()
  readonly #terminated = new Map<string, number>()
  /** Bytes of the connections that are closed. */
  #received = 0
  #sent = 0
  #accepted = 0

  constructor(traffic: Traffic) {
    this.#traffic = traffic
  }

  accepted(): void {
    this.#accepted++
  }

  refused(reason: RefusalReason): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1)
  }

  closed(socket: WebSocket, wasClean: boolean, cause: Error | undefined): void {
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
    }
  }
}

function bytesOf(socket: WebSocket): { received: number; sent: number } {
  return connectionOf(socket)?.bytes ?? { received: 0, sent: 0 }
}
