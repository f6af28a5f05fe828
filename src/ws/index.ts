/**
 * A stand-in for the package `ws`: the same classes, defaults and behaviour over the core of `hubwire`.
 *
 * @packageDocumentation
 */
import { extension, subprotocol } from './headers.js'
import { Sender } from './sender.js'
import { createWebSocketStream } from './stream.js'
import { WebSocketServer } from './websocket-server.js'
import { WebSocket } from './websocket.js'

const PerMessageDeflate = undefined
const Receiver = undefined

Object.assign(WebSocket, {
  createWebSocketStream,
  extension,
  PerMessageDeflate,
  Receiver,
  Sender,
  Server: WebSocketServer,
  subprotocol,
  WebSocket,
  WebSocketServer,
})

export {
  createWebSocketStream,
  extension,
  PerMessageDeflate,
  Receiver,
  Sender,
  subprotocol,
  WebSocket,
  WebSocket as default,
  // Node.js returns the export of this name from `require`.
  WebSocket as 'module.exports',
  WebSocketServer as Server,
  WebSocketServer,
}
