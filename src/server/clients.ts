import type { CloseDetails } from '../connection/connection-events.js'
import type { WebSocket } from '../websocket/websocket.js'

type CloseListener = (socket: WebSocket, details: CloseDetails) => void

/** The sockets of a server that are not closed yet, and the callbacks to run when one closes. */
export class Clients<User> {
  /** Programs see this set as `server.clients`, and may change it. */
  readonly sockets: Set<WebSocket<User>> = new Set<WebSocket<User>>()
  #open = 0
  readonly #listeners = new Set<CloseListener>()

  /** The number of sockets that are not closed yet, whatever a program has removed from {@link sockets}. */
  get open(): number {
    return this.#open
  }

  add(socket: WebSocket<User>): void {
    this.sockets.add(socket)
    this.#open++
  }

  /** A socket has closed. Called once for each. */
  closed(socket: WebSocket<User>, details: CloseDetails): void {
    this.sockets.delete(socket)
    this.#open--
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
