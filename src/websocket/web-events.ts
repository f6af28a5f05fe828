import type { CloseDetails } from '../connection/connection-events.js'

/** A web event at a socket. */
export interface SocketEvent<Target> extends Omit<Event, 'target' | 'currentTarget' | 'srcElement'> {
  readonly target: Target
  /** The socket while its listeners are called, and then `null`. */
  readonly currentTarget: Target | null
  readonly srcElement: Target
}

/** A message; see {@link https://websockets.spec.whatwg.org/#feedback-from-the-protocol | WHATWG}. */
export interface MessageEvent<Target> extends SocketEvent<Target> {
  /** Text as `string`; binary by `binaryType`. */
  readonly data: string | Buffer | ArrayBuffer | Blob
  /** The origin of a client's URL, such as `'ws://example.com'`; `''` at a server. */
  readonly origin: string
  readonly lastEventId: string
  readonly source: null
  readonly ports: readonly never[]
}

/** The end of a connection. */
export interface CloseEvent<Target> extends SocketEvent<Target>, CloseDetails {
  readonly code: number
  readonly reason: string
}

/** A failure of a connection: on the web an `Event` without details. */
export interface ErrorEvent<Target> extends SocketEvent<Target> {
  readonly error: Error
  readonly message: string
}

/** The events that a socket dispatches. */
export interface TargetEvents<Target> {
  open: SocketEvent<Target>
  message: MessageEvent<Target>
  close: CloseEvent<Target>
  error: ErrorEvent<Target>
}
