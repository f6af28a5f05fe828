import type { Subprotocols } from '../client/subprotocols.js'
import type { WebSocketOptions } from './attempt.js'
import { holdUntil, WebSocket } from './websocket.js'

/**
 * Connects to a server.
 *
 * @param address - a `ws:`, `wss:`, `http:`, `https:` or `ws+unix:` URL
 * @param protocols - the subprotocols to offer, in order of preference
 * @returns the open socket. What the server sends at once waits a second for a consumer: a `'message'` listener, a
 *   `for await` loop or a stream. Rejects with the cause when the connection cannot be made
 * @throws SyntaxError when the URL or a subprotocol is not valid
 */
export function connect(
  address: string | URL,
  protocols?: Subprotocols,
  options?: WebSocketOptions,
): Promise<WebSocket>
/** Connects to a server and offers no subprotocol. */
export function connect(address: string | URL, options?: WebSocketOptions): Promise<WebSocket>
export async function connect(
  address: string | URL,
  protocols?: Subprotocols | WebSocketOptions,
  options?: WebSocketOptions,
): Promise<WebSocket> {
  const socket = new WebSocket(address, protocols as Subprotocols, options)
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      holdUntil(socket)
      resolve(socket)
    })
    socket.onceClosed((_code, _reason, { cause }) => {
      reject(cause ?? new Error('The connection closed before it opened'))
    })
  })
}
