// What the programs import as #engine with --conditions=hubwire: the package hubwire itself.
import { WebSocketServer } from 'hubwire'

export { createWebSocketStream, WebSocket, WebSocketServer } from 'hubwire'

/** Socket.IO makes the server by itself, so the class that it is given has the options. */
export const socketIoOptions = {
  wsEngine: class extends WebSocketServer {
    constructor(options) {
      super({ ...options, origins: ['https://app.example'] })
    }
  },
}
