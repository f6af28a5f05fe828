/// <reference types="node" preserve="true" />
/**
 * WebSocket for Node.js: servers, clients, and a hub that broadcasts to groups.
 *
 * @packageDocumentation
 */
export type { Subprotocols } from './client/subprotocols.js'
export { connect } from './connect.js'
export type { BinaryType } from './connection/connection-events.js'
export type {
  CloseDetails,
  CloseEvent,
  ErrorEvent,
  Listener,
  MessageEvent,
  SocketEvent,
  TargetEvents,
} from './connection/event-target.js'
export { ConnectionError, type ConnectionErrorCode } from './connection/connection-error.js'
export type { HeartbeatOptions } from './connection/heartbeat.js'
export type { Member, SlowLimits, SlowPolicy } from './connection/member.js'
export type { WriteCallback } from './connection/outbox.js'
export type { Payload } from './connection/payload.js'
export type { ConnectionOptions } from './connection/settings.js'
export type { WebSocketEvents } from './connection/socket-event-target.js'
export type { Rate } from './connection/token-bucket.js'
export type { Diagnostics } from './diagnostics.js'
export { type BroadcastOptions, type BroadcastResult, Group } from './hub/group.js'
export { Hub, type HubOptions, type HubStats } from './hub/hub.js'
export { ProtocolError, type ProtocolErrorCode } from './protocol/errors.js'
export { HandshakeError } from './protocol/handshake.js'
export type { PerMessageDeflateOptions } from './protocol/permessage-deflate.js'
export { createWebSocketStream } from './stream.js'
export { type SendOptions, WebSocket, WebSocket as default, type WebSocketOptions } from './websocket.js'
export type { AdmissionOptions } from './server/admission.js'
export type { Authenticate } from './server/authentication.js'
export { bearerToken, cookieToken, queryToken, subprotocolToken } from './server/credentials.js'
export type { ListenOptions } from './server/listening.js'
export type { Origins } from './server/origins.js'
export type { Path } from './server/path.js'
export { Refusal, type RefusalOptions, type RefusalReason, refuse } from './server/refusal.js'
export { type RouteHandler, routes } from './server/routes.js'
export type { ShutdownOptions, ShutdownResult } from './server/shutdown.js'
export type { TrustProxy } from './server/trusted-proxies.js'
export type { ClientInfo, VerifyCallback, VerifyClient } from './server/verify-client.js'
export type { WebSocketServerEvents, WebSocketServerOptions } from './server/server-options.js'
export type { ServerStats } from './server/statistics.js'
export type { HandleProtocols } from './server/subprotocol.js'
export { WebSocketServer } from './server/websocket-server.js'
