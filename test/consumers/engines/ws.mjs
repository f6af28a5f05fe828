// What the programs import as #engine: packages/ws, in the place of ws.
export { createWebSocketStream, WebSocket, WebSocketServer } from 'ws'

/** Nothing is set: the package finds it as `ws`. */
export const socketIoOptions = {}
