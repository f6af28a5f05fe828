/// <reference types="node" preserve="true" />
// The types of `hubwire/ws` for CommonJS: what is required is the class itself. They are written by hand, because
// TypeScript cannot make an `export =` of ES modules, and because they follow the types that programs for `ws` are written
// against. test/ws/types.test.ts compiles such programs, and compares them with the classes.
import { EventEmitter } from 'node:events'
import type {
  Agent,
  ClientRequest,
  ClientRequestArgs,
  IncomingMessage,
  OutgoingHttpHeaders,
  Server as HttpServer,
} from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { createConnection } from 'node:net'
import type { Duplex, DuplexOptions } from 'node:stream'
import type { SecureContextOptions } from 'node:tls'
import type { ZlibOptions } from 'node:zlib'

/** What `Buffer.from` takes, numbers, and Blobs. */
type Sendable =
  | string
  | number
  | Buffer
  | ArrayBufferView
  | ArrayBuffer
  | SharedArrayBuffer
  | Blob
  | readonly any[]
  | { valueOf(): ArrayBuffer | SharedArrayBuffer | Uint8Array | readonly number[] | string }
  | { [Symbol.toPrimitive](hint: string): string }

/** The events of a socket and what their listeners get. */
interface SocketEvents {
  open: []
  message: [data: WebSocket.RawData, isBinary: boolean]
  close: [code: number, reason: Buffer]
  error: [error: Error]
  ping: [data: Buffer]
  pong: [data: Buffer]
  upgrade: [response: IncomingMessage]
  redirect: [url: string, request: ClientRequest]
  'unexpected-response': [request: ClientRequest, response: IncomingMessage]
}

/** The events of a server and what their listeners get. */
interface ServerEvents<Socket, Request> {
  connection: [socket: Socket, request: Request]
  error: [error: Error]
  headers: [headers: string[], request: Request]
  close: []
  listening: []
  wsClientError: [error: Error, socket: Duplex, request: Request]
}

/** An emitter whose listeners get what `Events` lists; a listener of any other event gets any values. */
declare class TypedEmitter<Events extends Record<keyof Events, any[]>> extends EventEmitter {
  on<Name extends keyof Events>(event: Name, listener: (this: this, ...values: Events[Name]) => void): this
  on(event: string | symbol, listener: (this: this, ...values: any[]) => void): this
  once<Name extends keyof Events>(event: Name, listener: (this: this, ...values: Events[Name]) => void): this
  once(event: string | symbol, listener: (this: this, ...values: any[]) => void): this
  off<Name extends keyof Events>(event: Name, listener: (this: this, ...values: Events[Name]) => void): this
  off(event: string | symbol, listener: (this: this, ...values: any[]) => void): this
  addListener<Name extends keyof Events>(event: Name, listener: (...values: Events[Name]) => void): this
  addListener(event: string | symbol, listener: (...values: any[]) => void): this
  removeListener<Name extends keyof Events>(event: Name, listener: (...values: Events[Name]) => void): this
  removeListener(event: string | symbol, listener: (...values: any[]) => void): this
}

type EventListener<Type extends keyof WebSocket.WebSocketEventMap> =
  | ((event: WebSocket.WebSocketEventMap[Type]) => void)
  | { handleEvent(event: WebSocket.WebSocketEventMap[Type]): void }

/** A WebSocket connection with the interface of the package `ws`, over the core of hubwire. */
declare class WebSocket extends TypedEmitter<SocketEvents> {
  static readonly CONNECTING: 0
  static readonly OPEN: 1
  static readonly CLOSING: 2
  static readonly CLOSED: 3
  readonly CONNECTING: 0
  readonly OPEN: 1
  readonly CLOSING: 2
  readonly CLOSED: 3

  /** What binary messages arrive as: a Buffer by default. Any other value is ignored. */
  binaryType: 'nodebuffer' | 'arraybuffer' | 'fragments'
  /** Bytes of messages that the operating system has not taken yet. */
  readonly bufferedAmount: number
  /** The extensions in use: `'permessage-deflate'` or `''`. */
  readonly extensions: string
  /** Whether {@link pause} holds messages back. */
  readonly isPaused: boolean
  /** The chosen subprotocol, or `''`. */
  readonly protocol: string
  readonly readyState: 0 | 1 | 2 | 3
  /** The URL that a client connected to, after redirects. */
  readonly url: string

  onopen: ((event: WebSocket.Event) => void) | null
  onerror: ((event: WebSocket.ErrorEvent) => void) | null
  onclose: ((event: WebSocket.CloseEvent) => void) | null
  onmessage: ((event: WebSocket.MessageEvent) => void) | null

  /** The socket of a server. */
  constructor(address: null)
  /**
   * Connects to a server.
   *
   * @throws SyntaxError if the URL or a subprotocol is not valid
   */
  constructor(address: string | URL, options?: WebSocket.ClientOptions | ClientRequestArgs)
  constructor(
    address: string | URL,
    protocols?: string | string[],
    options?: WebSocket.ClientOptions | ClientRequestArgs,
  )

  /** Begins the closing handshake, behind all that was sent. */
  close(code?: number, data?: string | Buffer): void
  /** Sends a Ping of at most 125 bytes. */
  ping(data?: any, mask?: boolean, cb?: (err: Error) => void): void
  /** Sends a Pong of at most 125 bytes. */
  pong(data?: any, mask?: boolean, cb?: (err: Error) => void): void
  /** Sends a message. @throws Error while the connection is being made */
  send(data: Sendable, cb?: (err?: Error) => void): void
  send(
    data: Sendable,
    options: {
      mask?: boolean | undefined
      binary?: boolean | undefined
      compress?: boolean | undefined
      fin?: boolean | undefined
    },
    cb?: (err?: Error) => void,
  ): void
  /** Ends the connection at once, without a closing handshake. */
  terminate(): void
  /** Holds messages back. Does nothing before the connection is open. */
  pause(): void
  /** Goes on after {@link pause}. */
  resume(): void

  addEventListener<Type extends keyof WebSocket.WebSocketEventMap>(
    type: Type,
    listener: EventListener<Type>,
    options?: WebSocket.EventListenerOptions,
  ): void
  removeEventListener<Type extends keyof WebSocket.WebSocketEventMap>(
    type: Type,
    listener: EventListener<Type>,
  ): void
}

declare const SocketClass: typeof WebSocket
interface SocketClass extends WebSocket {}

declare namespace WebSocket {
  /** What a message arrives as, by `binaryType`. */
  type RawData = Buffer | ArrayBuffer | Buffer[]
  /** What the web's listeners get, for whom text is a string. */
  type Data = string | Buffer | ArrayBuffer | Buffer[]
  type CertMeta = string | string[] | Buffer | Buffer[]

  /** Decides on a handshake at once. */
  type VerifyClientCallbackSync<Request extends IncomingMessage = IncomingMessage> = (info: {
    origin: string
    secure: boolean
    req: Request
  }) => boolean
  /** Decides on a handshake by calling back. */
  type VerifyClientCallbackAsync<Request extends IncomingMessage = IncomingMessage> = (
    info: { origin: string; secure: boolean; req: Request },
    callback: (res: boolean, code?: number, message?: string, headers?: OutgoingHttpHeaders) => void,
  ) => void
  /** Completes a client's request, which it must end. */
  type FinishRequestCallback = (request: ClientRequest, websocket: WebSocket) => void

  /** What either end can choose. */
  interface CommonOptions {
    allowSynchronousEvents?: boolean | undefined
    autoPong?: boolean | undefined
    closeTimeout?: number | undefined
    maxPayload?: number | undefined
    maxBufferedChunks?: number | undefined
    maxFragments?: number | undefined
    perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined
    skipUTF8Validation?: boolean | undefined
  }

  interface ClientOptions extends CommonOptions, SecureContextOptions {
    protocol?: string | undefined
    followRedirects?: boolean | undefined
    generateMask?(mask: Buffer): void
    handshakeTimeout?: number | undefined
    maxRedirects?: number | undefined
    localAddress?: string | undefined
    protocolVersion?: number | undefined
    headers?: { [key: string]: string } | undefined
    origin?: string | undefined
    agent?: Agent | undefined
    host?: string | undefined
    family?: number | undefined
    checkServerIdentity?(servername: string, cert: CertMeta): boolean
    rejectUnauthorized?: boolean | undefined
    createConnection?: typeof createConnection | undefined
    finishRequest?: FinishRequestCallback | undefined
  }

  interface PerMessageDeflateOptions {
    serverNoContextTakeover?: boolean | undefined
    clientNoContextTakeover?: boolean | undefined
    serverMaxWindowBits?: number | undefined
    clientMaxWindowBits?: number | undefined
    /** Of these, `level` and `memLevel` are used. */
    zlibDeflateOptions?:
      | {
          flush?: number | undefined
          finishFlush?: number | undefined
          chunkSize?: number | undefined
          windowBits?: number | undefined
          level?: number | undefined
          memLevel?: number | undefined
          strategy?: number | undefined
          dictionary?: Buffer | Buffer[] | DataView | undefined
          info?: boolean | undefined
        }
      | undefined
    zlibInflateOptions?: ZlibOptions | undefined
    threshold?: number | undefined
    concurrencyLimit?: number | undefined
  }

  interface Event {
    type: string
    target: WebSocket
  }
  interface ErrorEvent extends Event {
    error: any
    message: string
  }
  interface CloseEvent extends Event {
    wasClean: boolean
    code: number
    reason: string
  }
  interface MessageEvent extends Event {
    data: Data
  }
  interface WebSocketEventMap {
    open: Event
    error: ErrorEvent
    close: CloseEvent
    message: MessageEvent
  }
  interface EventListenerOptions {
    once?: boolean | undefined
  }

  interface ServerOptions<
    Socket extends typeof WebSocket.WebSocket = typeof WebSocket.WebSocket,
    Request extends typeof IncomingMessage = typeof IncomingMessage,
  > extends CommonOptions {
    host?: string | undefined
    port?: number | undefined
    backlog?: number | undefined
    server?: HttpServer<Request> | HttpsServer<Request> | undefined
    verifyClient?:
      | VerifyClientCallbackAsync<InstanceType<Request>>
      | VerifyClientCallbackSync<InstanceType<Request>>
      | undefined
    handleProtocols?: (protocols: Set<string>, request: InstanceType<Request>) => string | false
    path?: string | undefined
    noServer?: boolean | undefined
    clientTracking?: boolean | undefined
    WebSocket?: Socket | undefined
  }

  interface AddressInfo {
    address: string
    family: string
    port: number
  }

  /** Accepts connections on a port of its own, on an HTTP server, or from upgrades that the application passes on. */
  class Server<
    Socket extends typeof WebSocket.WebSocket = typeof WebSocket.WebSocket,
    Request extends typeof IncomingMessage = typeof IncomingMessage,
  > extends TypedEmitter<ServerEvents<InstanceType<Socket>, InstanceType<Request>>> {
    options: ServerOptions<Socket, Request>
    path: string
    /** The sockets that are not closed yet; missing with `clientTracking: false`. */
    clients: Set<InstanceType<Socket>>

    /** @param callback - called when the server listens on a port of its own */
    constructor(options?: ServerOptions<Socket, Request>, callback?: () => void)

    /** The address on which it listens. @throws Error with `noServer` */
    address(): AddressInfo | string | null
    /** Stops accepting connections. Those that are open stay so. */
    close(cb?: (err?: Error) => void): void
    /** Handles an upgrade of an HTTP server. @throws Error if it was called with this socket before */
    handleUpgrade(
      request: InstanceType<Request>,
      socket: Duplex,
      upgradeHead: Buffer,
      callback: (client: InstanceType<Socket>, request: InstanceType<Request>) => void,
    ): void
    /** Whether an upgrade is for this server; by default whether it matches `path`. */
    shouldHandle(request: InstanceType<Request>): boolean | Promise<boolean>
  }

  const WebSocketServer: typeof Server
  interface WebSocketServer extends Server {}
  const WebSocket: typeof SocketClass
  interface WebSocket extends SocketClass {}

  /** A Node stream over a socket: each chunk written is a message, each message arrives as a chunk. */
  function createWebSocketStream(websocket: WebSocket, options?: DuplexOptions): Duplex
}

export = WebSocket
