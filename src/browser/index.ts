/**
 * The reconnecting WebSocket client for pages, workers and programs.
 *
 * @packageDocumentation
 */
export type { Sendable, SocketClass, SocketLike } from './environment.js'
export type {
  Attempt,
  CloseInfo,
  DelayOptions,
  PingOptions,
  ReconnectingOptions,
  Url,
  UrlSource,
} from './options.js'
export { ReconnectingWebSocket } from './reconnecting-websocket.js'
export type { Closed, Connecting, Open, Status, Waiting, WaitingReason } from './status.js'
export type { Failure, Message, ReconnectingEvents, Recovery } from './typed-event-target.js'
export { webSocketUrl } from './url.js'
