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
  // What `require` returns (Node.js takes an export of this name for it).
  WebSocket as 'module.exports',
  WebSocketServer as Server,
  WebSocketServer,
}
