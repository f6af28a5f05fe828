import type { CloseDetails } from '../connection/connection-events.js'
import type { WebSocket } from '../websocket/websocket.js'

type CloseListener = (socket: WebSocket, details: CloseDetails) => void

/** The sockets of a server that are not closed yet, and the callbacks to run when one closes. */
export class Clients<User> {
  readonly sockets: Set<WebSocket<User>> = new Set<WebSocket<User>>()
  readonly #listeners = new Set<CloseListener>()
  /**
   * One function for all sockets, called on the one that closed. A closure each would take memory for every idle
   * connection.
   */
  readonly #onClose: (this: WebSocket, code: number, reason: string, details: CloseDetails) => void

  constructor() {
    const closed: CloseListener = (socket, details) => {
      this.sockets.delete(socket as WebSocket<User>)
      for (const listener of this.#listeners) listener(socket, details)
    }
    this.#onClose = function (_code, _reason, details) {
      closed(this, details)
    }
  }

  add(socket: WebSocket<User>): void {
    this.sockets.add(socket)
    socket.onceClosed(this.#onClose)
  }

  /** Calls a listener for each socket that closes from now on. Returns a function that stops that. */
  onClosed(listener: CloseListener): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }
}
