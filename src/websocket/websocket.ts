import { EventEmitter, on } from 'node:events'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { parseAddress } from '../client/address.js'
import { type Opened, OpeningHandshake, type OpeningOptions } from '../client/opening-handshake.js'
import { isSubprotocols, readSubprotocols, type Subprotocols } from '../client/subprotocols.js'
import { Connection } from '../connection/connection.js'
import type { BinaryType } from '../connection/connection-events.js'
import type { Compression, ConnectionSettings } from '../connection/connection-settings.js'
import type { Member } from '../hub/member.js'
import type { SlowLimits } from '../sending/slow-limits.js'
import { maskingKeysFrom, randomMaskingKey } from '../sending/masking-keys.js'
import { channels, type Diagnostics as ConnectionDiagnostics } from '../connection/diagnostics.js'
import type { MessageOptions } from '../sending/message-writer.js'
import type { WriteCallback } from '../sending/outbox.js'
import { type Payload, toPayload } from '../sending/payload.js'
import type { PreparedMessage } from '../sending/prepared-message.js'
import {
  compressionFor,
  type ConnectionOptions,
  connectionSettings,
  deflateOptions,
} from '../connection/settings.js'
import { SocketEventTarget } from './socket-event-target.js'
import type { Established } from '../connection/established.js'
import { toError, warnOfFailure } from '../connection/failures.js'
import { CloseCode, encodeClose } from '../protocol/close-codes.js'
import { Opcode } from '../protocol/opcodes.js'
import { PERMESSAGE_DEFLATE, type PerMessageDeflateOptions } from '../protocol/permessage-deflate.js'

/** How a client connects, and what both ends of a connection can choose. */
export interface WebSocketOptions extends ConnectionOptions, Omit<OpeningOptions, 'signal'> {
  /** Ends the connection, or the attempt at one, when it is aborted. */
  signal?: AbortSignal
  /** Fills the masking key of each frame, for tests; the system's random source by default. */
  generateMask?: (octets: Buffer) => void
}

/** What the library publishes on the channels of `node:diagnostics_channel`, by their names. */
export type Diagnostics = ConnectionDiagnostics<WebSocket>

/** How one message is sent. */
export interface SendOptions {
  /** Sends octets as a binary message (the default for all but strings) or, with `false`, as text. */
  binary?: boolean
  /** Compresses it where that was negotiated; `true` by default. `false` keeps secrets out of a shared window (BREACH). */
  compress?: boolean
  /** Ends the message; `true` by default. With `false` what is sent next continues it (RFC 6455 section 5.4). */
  fin?: boolean
}

/** What a server knows of a connection beyond the handshake. */
export interface Admission<User> {
  readonly params: Readonly<Record<string, string>>
  readonly user: User
  readonly forwardedAddress: string | undefined
}

/** Opens a server's end: `webSocket` was made with `null` for an address. */
export let startAccepted: <User>(
  webSocket: WebSocket<User>,
  established: Established,
  admission: Admission<User>,
) => void
/** The connection of a socket once it is open: for its server. */
export let connectionOf: (webSocket: WebSocket) => Connection | undefined
/** Closes with 1011 because a listener failed, and reports it. */
export let failHandler: (webSocket: WebSocket, failure: unknown) => void
/** Holds what the peer sends until the promise settles or somebody consumes messages. */
export let holdUntil: (webSocket: WebSocket, promise: Promise<unknown>) => void

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({})
const TEXT: MessageOptions = { isBinary: false, compress: true, fin: true }
const BINARY: MessageOptions = { isBinary: true, compress: true, fin: true }
const MAX_CONTROL_PAYLOAD = 125

/**
 * One connection in either role: a server's sockets come with its `'connection'` event, a client makes its own with
 * `new WebSocket(url)`. It has WHATWG's interface ({@link https://websockets.spec.whatwg.org}) and that of `ws`.
 *
 * Errors of the network and of the peer never throw: they are the cause in `'close'`, and `'error'` is emitted to
 * those who listen. An async listener that rejects closes its connection with 1011.
 */
export class WebSocket<User = unknown> extends SocketEventTarget implements Member {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSING = 2
  static readonly CLOSED = 3
  declare readonly CONNECTING: 0
  declare readonly OPEN: 1
  declare readonly CLOSING: 2
  declare readonly CLOSED: 3

  /** What the server's `authenticate` returned. */
  declare user: User
  /** The named groups of the server's `path`. */
  params: Readonly<Record<string, string>> = NO_PARAMS
  /** The chosen subprotocol, or `''`. */
  protocol = ''
  /** The extensions in use: `'permessage-deflate'` or `''`. */
  extensions = ''
  /** The URL that a client connected to, after redirects; `''` at a server. */
  url = ''

  #connection: Connection | undefined
  #handshake: OpeningHandshake | undefined
  /** The state while there is no connection: before it, or after an attempt that failed. */
  #state: 0 | 2 | 3 = 0
  #binaryType: BinaryType = 'nodebuffer'
  #forwardedAddress: string | undefined

  /**
   * Connects to a server.
   *
   * @param address - a `ws:`, `wss:`, `http:`, `https:` or `ws+unix:` URL; `null` makes the socket of a server
   * @param protocols - the subprotocols to offer, in order of preference
   * @throws SyntaxError when the URL or a subprotocol is not valid
   * @throws RangeError when an option is out of its range
   */
  constructor(
    address: string | URL | null,
    protocols?: Subprotocols | WebSocketOptions,
    options?: WebSocketOptions,
  ) {
    super()
    if (address === null) return
    if (isSubprotocols(protocols)) this.#connect(address, readSubprotocols(protocols), options ?? {})
    else this.#connect(address, new Set(), options ?? protocols ?? {})
  }

  /** CONNECTING (0), OPEN (1), CLOSING (2) or CLOSED (3). */
  get readyState(): 0 | 1 | 2 | 3 {
    return this.#connection === undefined ? this.#state : this.#connection.readyState
  }

  /** Octets that the operating system has not taken yet, frame headers included. */
  get bufferedAmount(): number {
    return this.#connection?.bufferedAmount ?? 0
  }

  /** Whether {@link pause} holds messages back. */
  get isPaused(): boolean {
    return this.#connection?.isPaused ?? false
  }

  /** The peer's address while it is connected; at a server with `trustProxy`, the client's in front of the proxies. */
  get remoteAddress(): string | undefined {
    return this.#forwardedAddress ?? this.#connection?.remoteAddress
  }

  /** Milliseconds from the heartbeat's last Ping to its Pong; `undefined` before the first. */
  get latency(): number | undefined {
    return this.#connection?.latency
  }

  /** What binary messages arrive as; `'nodebuffer'` by default. @throws TypeError for anything else than the three */
  get binaryType(): BinaryType {
    return this.#binaryType
  }
  set binaryType(type: BinaryType) {
    if (type !== 'nodebuffer' && type !== 'arraybuffer' && type !== 'blob') {
      throw new TypeError(`binaryType is 'nodebuffer', 'arraybuffer' or 'blob'; ${String(type)} is not`)
    }
    this.#binaryType = type
    if (this.#connection !== undefined) this.#connection.binaryType = type
  }

  /**
   * Sends a message.
   *
   * @param data - text, or octets in any form; octets of 16 KiB and more are not copied and must stay as they are until
   *   the callback
   * @param callback - called when the octets have left the process, or with the reason why they will not
   * @returns `false` when more waits than the socket's high-water mark: `'drain'` follows. Also when the connection is
   *   not open any more, of which only the callback learns, since no program can know it in time
   * @throws TypeError when the data is of no type that can be sent
   * @throws Error while the connection is being made
   */
  send(data: Payload | Blob, callback?: WriteCallback): boolean
  send(data: Payload | Blob, options?: SendOptions, callback?: WriteCallback): boolean
  send(data: Payload | Blob, options?: SendOptions | WriteCallback, callback?: WriteCallback): boolean {
    if (typeof options === 'function') return this.send(data, undefined, options)
    const payload = data instanceof Blob ? data : toPayload(data)
    const connection = this.#open(callback)
    if (connection === undefined) return false
    const isBinary = options?.binary ?? (typeof data !== 'string' && typeof data !== 'number')
    const how =
      options === undefined
        ? isBinary
          ? BINARY
          : TEXT
        : { isBinary, compress: options.compress !== false, fin: options.fin !== false }
    return payload instanceof Blob
      ? connection.blob(payload, how, callback)
      : connection.message(payload, how, callback)
  }

  /**
   * Sends a Ping (RFC 6455 section 5.5.2).
   *
   * @param data - at most 125 octets
   * @throws RangeError when it is longer
   */
  ping(data?: Payload, mask?: boolean, callback?: WriteCallback): void
  ping(data?: Payload, callback?: WriteCallback): void
  ping(callback?: WriteCallback): void
  ping(...values: unknown[]): void {
    this.#control(Opcode.ping, values)
  }

  /** Sends a Pong, unasked (RFC 6455 section 5.5.3). @throws RangeError when the data is longer than 125 octets */
  pong(data?: Payload, mask?: boolean, callback?: WriteCallback): void
  pong(data?: Payload, callback?: WriteCallback): void
  pong(callback?: WriteCallback): void
  pong(...values: unknown[]): void {
    this.#control(Opcode.pong, values)
  }

  /**
   * Begins the closing handshake (RFC 6455 section 7.1.2), behind all that was sent. Does nothing when it has begun.
   *
   * @param code - 1000 to 1003, 1007 to 1014, or 3000 to 4999; none by default
   * @param reason - at most 123 octets of UTF-8
   * @throws TypeError when the code may not be sent
   * @throws RangeError when the reason is too long
   */
  close(code?: number, reason?: string | Uint8Array): void {
    if (this.#connection !== undefined) this.#connection.close(code, reason)
    else {
      encodeClose(code, reason)
      this.#giveUp()
    }
  }

  /** Ends the connection at once, without a closing handshake: `'close'` comes with 1006. */
  terminate(): void {
    if (this.#connection !== undefined) this.#connection.terminate()
    else this.#giveUp()
  }

  /** Delivers no more messages, and stops reading so that the peer has to wait too. */
  pause(): void {
    this.#connection?.pause()
  }

  /** Goes on after {@link pause}. */
  resume(): void {
    this.#connection?.resume()
  }

  /**
   * The messages as they come; reading waits for the loop's body. Ends when the connection closes, and throws the cause
   * if it broke.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<string | Buffer | ArrayBuffer, void, undefined> {
    if (this.readyState >= WebSocket.CLOSING) return
    const events = on(this, 'message', { close: ['close'], highWaterMark: 1, lowWaterMark: 1 })
    try {
      for await (const [data] of events) yield data as string | Buffer | ArrayBuffer
    } finally {
      // A loop that is left may leave the socket paused.
      this.resume()
    }
  }

  /** Closes, and waits for `'close'`: `await using socket = await connect(url)`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.readyState === WebSocket.CLOSED) return
    await new Promise<void>((resolve) => {
      this.once('close', () => {
        resolve()
      })
      this.close()
    })
  }

  /** Hands over what a group sends; see {@link Member}. @internal */
  deliver(message: PreparedMessage, limits: SlowLimits): boolean {
    return this.#connection?.deliver(message, limits) ?? false
  }

  // What only this package may call: not in the published types.
  static {
    startAccepted = (webSocket, { socket, head, protocol, settings, compression }, admission) => {
      webSocket.user = admission.user
      webSocket.params = admission.params
      webSocket.#forwardedAddress = admission.forwardedAddress
      webSocket.#start(socket, head, protocol, settings, compression)
    }
    connectionOf = (webSocket) => webSocket.#connection
    failHandler = (webSocket, failure) => {
      webSocket.#abort(failure)
    }
    holdUntil = () => undefined
  }

  #abort(failure: unknown): void {
    const cause = toError(failure)
    if (this.listenerCount('error') === 0) warnOfFailure(cause)
    else if (this.#connection === undefined) this.emit('error', cause)
    this.#connection?.abort(cause)
  }

  #connect(address: string | URL, protocols: ReadonlySet<string>, options: WebSocketOptions): void {
    const deflate = deflateOptions(options.perMessageDeflate)
    const keys = options.generateMask === undefined ? randomMaskingKey : maskingKeysFrom(options.generateMask)
    const settings = connectionSettings(options, 'server', keys)
    const target = parseAddress(address)
    this.url = target.url.href
    this.#handshake = new OpeningHandshake(target, protocols, deflate, options, {
      onOpen: (opened) => {
        this.#opened(opened, settings, deflate)
      },
      onUpgrade: (response) => {
        this.emit('upgrade', response)
      },
      onRedirect: (url, request) => {
        this.url = url
        this.emit('redirect', url, request)
      },
      onUnexpectedResponse: (request, response) => this.emit('unexpected-response', request, response),
      onFailure: (error) => {
        this.#failed(error)
      },
    })
    if (options.signal !== undefined) this.#obey(options.signal)
  }

  #opened(opened: Opened, settings: ConnectionSettings, deflate: PerMessageDeflateOptions = {}): void {
    this.#handshake = undefined
    const compression = opened.deflate && compressionFor(opened.deflate, 'client', deflate)
    this.#start(opened.socket, opened.head, opened.protocol, settings, compression)
    if (channels.connection.hasSubscribers) channels.connection.publish({ socket: this })
    this.emit('open')
  }

  #start(
    socket: Duplex,
    head: Buffer,
    protocol: string,
    settings: ConnectionSettings,
    compression: Compression | undefined,
  ): void {
    this.protocol = protocol
    if (compression !== undefined) this.extensions = PERMESSAGE_DEFLATE
    if (socket instanceof Socket) {
      socket.setTimeout(0)
      socket.setNoDelay()
    }
    if (head.length > 0) socket.unshift(head)
    this.#connection = new Connection(socket, settings, this, compression)
    this.#connection.binaryType = this.#binaryType
  }

  /** An attempt to connect that came to nothing: one `'error'` for those who listen, one `'close'`. */
  #failed(error: Error): void {
    if (this.#state !== 0) return
    this.#state = WebSocket.CLOSING
    this.#handshake = undefined
    process.nextTick(() => {
      this.#state = WebSocket.CLOSED
      if (channels.error.hasSubscribers) channels.error.publish({ socket: this, error })
      if (this.listenerCount('error') > 0) this.emit('error', error)
      this.emit('close', CloseCode.abnormal, '', { wasClean: false, initiator: 'local', cause: error })
    })
  }

  #giveUp(): void {
    this.#handshake?.fail(new Error('WebSocket was closed before the connection was established'))
  }

  #obey(signal: AbortSignal): void {
    const abort = (): void => {
      const cause = toError(signal.reason)
      if (this.#connection === undefined) this.#handshake?.fail(cause)
      else this.#connection.terminate(cause)
    }
    if (signal.aborted) {
      abort()
      return
    }
    signal.addEventListener('abort', abort, { once: true })
    this.once('close', () => {
      signal.removeEventListener('abort', abort)
    })
  }

  /** The connection if it is open. @throws Error while there is none yet */
  #open(callback: WriteCallback | undefined): Connection | undefined {
    if (this.readyState === WebSocket.CONNECTING) {
      throw new Error("WebSocket is not open yet (readyState 0): wait for 'open', or use connect()")
    }
    if (this.readyState === WebSocket.OPEN) return this.#connection
    if (callback !== undefined) {
      const error = new Error(
        `WebSocket is not open: readyState ${this.readyState} (${STATE_NAMES[this.readyState]})`,
      )
      process.nextTick(callback, error)
    }
    return undefined
  }

  #control(opcode: number, values: unknown[]): void {
    const callback = values.find((value) => typeof value === 'function') as WriteCallback | undefined
    const data = typeof values[0] === 'function' || values[0] === undefined ? '' : toPayload(values[0])
    const payload = Buffer.from(data as string)
    if (payload.length > MAX_CONTROL_PAYLOAD) {
      throw new RangeError(
        `A Ping or Pong holds at most ${MAX_CONTROL_PAYLOAD} octets; this one has ${payload.length}`,
      )
    }
    this.#open(callback)?.control(opcode, payload, callback)
  }
}

// What Node calls when an async listener rejects.
Object.defineProperty(WebSocket.prototype, EventEmitter.captureRejectionSymbol, {
  value(this: WebSocket, failure: unknown, event: string): void {
    // A listener for 'error' that fails would hear of it, and fail, for ever.
    if (event === 'error') process.emitWarning(toError(failure))
    else failHandler(this, failure)
  },
})

const STATE_NAMES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'] as const

// WHATWG has them on instances too; on the prototype they cost no connection anything.
for (const [state, name] of STATE_NAMES.entries()) {
  Object.defineProperty(WebSocket.prototype, name, { value: state, enumerable: true })
}
