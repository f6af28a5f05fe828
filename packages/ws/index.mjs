// The package for ES modules: the same module as the one that is required.
import WebSocket from './index.cjs'

export const {
  createWebSocketStream,
  extension,
  PerMessageDeflate,
  Receiver,
  Sender,
  Server,
  subprotocol,
  WebSocketServer,
} = WebSocket
export { WebSocket }
export default WebSocket
