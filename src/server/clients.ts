import type { CloseDetails } from '../connection/connection-events.js'
import type { WebSocket } from '../websocket/websocket.js'

type CloseListener = (socket: WebSocket, details: CloseDetails) => void

/** The sockets of a server that are not closed yet, and the callbacks to run when one closes. */
export class Clients<User> {
  readonly sockets: Set<WebSocket<User>> = new Set<WebSocket<User>>()
  readonly #listeners = new Set<CloseListener>()

  add(socket: WebSocket<User>): void {
    this.sockets.add(socket)
  }

  /** A socket has closed. */
  closed(socket: WebSocket<User>, details: CloseDetails): void {
    if (!this.sockets.delete(socket)) return
    for (const listener of this.#listeners) listener(socket, details)
  }

  /** Calls a listener for each socket that closes from now on. Returns a function that stops that. */
  onClosed(listener: CloseListener): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }
}
