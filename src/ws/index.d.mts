// The types of `hubwire/ws` for ES modules: those for CommonJS, as a default and as named exports.
import WebSocket from './index.cjs'

export import AddressInfo = WebSocket.AddressInfo
export import CertMeta = WebSocket.CertMeta
export import ClientOptions = WebSocket.ClientOptions
export import CloseEvent = WebSocket.CloseEvent
export import Data = WebSocket.Data
export import ErrorEvent = WebSocket.ErrorEvent
export import Event = WebSocket.Event
export import EventListenerOptions = WebSocket.EventListenerOptions
export import FinishRequestCallback = WebSocket.FinishRequestCallback
export import MessageEvent = WebSocket.MessageEvent
export import PerMessageDeflateOptions = WebSocket.PerMessageDeflateOptions
export import RawData = WebSocket.RawData
export import Server = WebSocket.Server
export import ServerOptions = WebSocket.ServerOptions
export import VerifyClientCallbackAsync = WebSocket.VerifyClientCallbackAsync
export import VerifyClientCallbackSync = WebSocket.VerifyClientCallbackSync
export import WebSocketServer = WebSocket.WebSocketServer
export import createWebSocketStream = WebSocket.createWebSocketStream
export { WebSocket }
export default WebSocket
