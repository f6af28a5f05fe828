import type { Diagnostics as ConnectionDiagnostics } from '../connection/diagnostics.js'
import type { WebSocket } from '../websocket/websocket.js'
import type { WebSocketServer } from './websocket-server.js'

/** What the library publishes on the channels of `node:diagnostics_channel`, by their names. */
export type Diagnostics = ConnectionDiagnostics<WebSocket, WebSocketServer<unknown, boolean>>
