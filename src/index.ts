/// <reference types="node" preserve="true" />
/**
 * WebSocket for Node.js: servers, clients, and a hub that broadcasts to groups.
 *
 * @packageDocumentation
 */
export { ConnectError, type ConnectErrorCode, type ConnectErrorDetails } from './client/connect-error.js'
export type { Subprotocols } from './client/subprotocols.js'
export { answerPings, type AnswerPingsOptions } from './websocket/answer-pings.js'
export type { Params } from './websocket/accepted-client.js'
export type { WebSocketOptions } from './websocket/attempt.js'
export { connect } from './websocket/connect.js'
export type { BinaryType, CloseDetails } from './connection/connection-events.js'
export type { RefusalReason } from './connection/diagnostics.js'
export type { Listener, ListenerOptions } from './websocket/event-target.js'
export { ConnectionError, type ConnectionErrorCode } from './sending/connection-error.js'
export type { HeartbeatOptions } from './connection/heartbeat.js'
export type { Member } from './hub/member.js'
export type { SlowLimits, SlowPolicy } from './sending/slow-limits.js'
export type { WriteCallback } from './sending/send-callback.js'
export type { Payload } from './sending/payload.js'
export type { PreparedMessage } from './sending/prepared-message.js'
export type { ConnectionOptions } from './connection/settings.js'
export type { SendOptions } from './websocket/send-options.js'
export type { Message, WebSocketEvents } from './websocket/socket-emitter.js'
export type { Rate } from './options/checks.js'
export { type BroadcastOptions, type BroadcastResult, Group } from './hub/group.js'
export type { GroupOptions, HistoryOptions, JoinOptions, JoinResult } from './hub/history.js'
export type { PublishResult } from './hub/publish-result.js'
export type { CloseResult, CountResult, HubNode, NodesResult } from './hub/everywhere.js'
export type { AddOptions, JsonValue, MembersResult, PresenceChange, PresentMember } from './hub/presence.js'
export { Hub, type HubOptions, type HubStats } from './hub/hub.js'
export type { Gap, GapCause } from './relay/gap.js'
export type { HistoryLimits, HistoryPage, HistoryPosition, RelayHistory } from './relay/history.js'
export type { PartitionedRelay, Relay, RelayConnection, RelayEvents, RelayOptions } from './relay/relay.js'
export type { RelayStats } from './relay/relay-stats.js'
export { ProtocolError, type ProtocolErrorCode } from './protocol/errors.js'
export { HandshakeError, type HandshakeErrorCode } from './protocol/handshake.js'
export type { PerMessageDeflateOptions } from './protocol/permessage-deflate.js'
export type {
  CloseEvent,
  ErrorEvent,
  MessageEvent,
  SocketEvent,
  TargetEvents,
} from './websocket/web-events.js'
export { createWebSocketStream } from './websocket/stream.js'
export { WebSocket, WebSocket as default } from './websocket/websocket.js'
export type { AdmissionOptions } from './server/admission/admission.js'
export { type Anonymous, anonymous } from './server/admission/anonymous.js'
export type { Authenticate, AuthenticateAnswer, SocketUser } from './server/admission/authentication.js'
export { bearerToken, cookieToken, queryToken, subprotocolToken } from './server/admission/credentials.js'
export { listen, type ListenOptions } from './server/listening.js'
export type { Origins } from './server/admission/origins.js'
export type { ParamsOf, Path } from './server/path.js'
export { Refusal, type RefusalOptions, refuse } from './server/admission/refusal.js'
export type { Diagnostics } from './server/diagnostics.js'
export { type RouteHandler, routes, type RouteTable } from './server/routes.js'
export type { ShutdownOptions, ShutdownResult } from './server/shutdown.js'
export type { TrustProxy } from './server/admission/trusted-proxies.js'
export type { ClientInfo, VerifyCallback, VerifyClient } from './server/admission/verify-client.js'
export type { WebSocketServerEvents, WebSocketServerOptions } from './server/server-options.js'
export type { ServerStats } from './server/statistics.js'
export type { HandleProtocols } from './server/subprotocol-choice.js'

export { WebSocketServer } from './server/websocket-server.js'
