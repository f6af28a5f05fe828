import { EventEmitter } from 'node:events'
import { Socket } from 'node:net'
import { abortError, closedWhileConnecting } from '../client/connect-error.js'
import { isSubprotocols, readSubprotocols, type Subprotocols } from '../client/subprotocols.js'
import { Connection } from '../connection/connection.js'
import type { BinaryType, CloseDetails } from '../connection/connection-events.js'
import { channels } from '../connection/diagnostics.js'
import { warnOfFailure } from '../connection/failures.js'
import { Hold } from '../connection/inbound.js'
import { type Preset, presetOf } from '../connection/preset.js'
import type { Established } from '../connection/settings.js'
import { toError } from '../options/thrown.js'
import type { Member } from '../hub/member.js'
import { encodeClose } from '../protocol/close-codes.js'
import { Opcode } from '../protocol/opcodes.js'
import { PERMESSAGE_DEFLATE } from '../protocol/permessage-deflate.js'
import { bindCallback, runLater, type WriteCallback } from '../sending/send-callback.js'
import { type Payload, toPayload } from '../sending/payload.js'
import type { PreparedMessage } from '../sending/prepared-message.js'
import type { SlowLimits } from '../sending/slow-limits.js'
import { onAbort } from './abort.js'
import { type AcceptedClient, NO_PARAMS, type Params } from './accepted-client.js'
import { Attempt, type WebSocketOptions } from './attempt.js'
import { EarlyMessages } from './early-messages.js'
import { type MessageData, MessageIterators } from './message-iterator.js'
import { controlPayload, messageOptions, type SendOptions } from './send-options.js'
import { SocketEventTarget } from './socket-event-target.js'
import { describeInterface, notOpenError } from './web-interface.js'

/** Opens a server's end: `webSocket` was created with `null` as the address. @internal */
export let startAccepted: <User>(
  webSocket: WebSocket<User>,
  established: Established,
  admission: AcceptedClient<User>,
) => void
/** The connection of a socket once it is open: for its server. @internal */
export let connectionOf: (webSocket: WebSocket) => Connection | undefined
/** The attempt of a client. @internal */
export let attemptOf: (webSocket: WebSocket) => Attempt | undefined
/** Closes with 1011 because a listener failed, and reports it. @internal */
export let failHandler: (webSocket: WebSocket, failure: unknown, isErrorListener?: boolean) => void
/** Passes each message to `answer` first, which returns whether it is not delivered to the application. @internal */
export let answerFirst: (webSocket: WebSocket, answer: NonNullable<Connection['answer']>) => void
/** Holds messages of the peer until the promise settles, or until a consumer is attached. @internal */
export let holdUntil: (webSocket: WebSocket, promise?: Promise<unknown>) => void

/**
 * One connection in either role: a server emits its sockets with `'connection'`, a client creates its own with
 * `new WebSocket(url)`. It has the interfaces of WHATWG ({@link https://websockets.spec.whatwg.org}) and of `ws`.
 *
 * Errors of the network and the peer never throw. They are the cause in `'close'`, and are emitted as `'error'` only
 * if it has a listener. A listener that throws or rejects closes its connection with 1011.
 *
 * @typeParam User - the type of `socket.user`
 * @typeParam PathParams - the type of `socket.params`: `{ room: string }` for the path `'/chat/:room'`
 */
export class WebSocket<User = unknown, PathParams extends Params = Params>
  extends SocketEventTarget
  implements Member
{
  declare static readonly CONNECTING: 0
  declare static readonly OPEN: 1
  declare static readonly CLOSING: 2
  declare static readonly CLOSED: 3
  declare readonly CONNECTING: 0
  declare readonly OPEN: 1
  declare readonly CLOSING: 2
  declare readonly CLOSED: 3

  /** The user that the server's `authenticate` returned. */
  declare user: User
  /** The named groups of the server's `path`. */
  params: PathParams = NO_PARAMS as PathParams

  readonly #preset: Preset
  #connection: Connection | undefined
  /** The attempt of a client, until it is open. */
  #attempt: Attempt | undefined
  #binaryType: BinaryType = 'nodebuffer'
  #forwardedAddress: string | undefined
  /** Requests to the connection before it existed. */
  #actions: Set<(connection: Connection) => void> | undefined
  #early: EarlyMessages | undefined
  #iterators: MessageIterators | undefined
  #protocol = ''
  #extensions = ''

  /**
   * Connects to a server.
   *
   * @param address - a `ws:`, `wss:`, `http:`, `https:` or `ws+unix:` URL; `null` creates the socket of a server
   * @param protocols - the subprotocols to offer, in order of preference
   * @throws DOMException named SyntaxError when the URL or a subprotocol is not valid
   * @throws TypeError without an address
   * @throws RangeError when an option is out of its range
   */
  constructor(address: string | URL | null, protocols?: Subprotocols, options?: WebSocketOptions)
  /** Connects to a server and offers no subprotocol. */
  constructor(address: string | URL | null, options?: WebSocketOptions)
  constructor(
    address: string | URL | null,
    protocols: Subprotocols | WebSocketOptions | null = [],
    options: WebSocketOptions | null = null,
  ) {
    super(presetOf(options ?? protocols).handlerFailure === 'close')
    this.#preset = presetOf(options ?? protocols)
    if (address === null) return
    if (address === undefined) throw new TypeError('new WebSocket(address) needs the URL of a server')
    try {
      const [offered, given] = isSubprotocols(protocols) ? [protocols, {}] : [[], protocols ?? {}]
      this.#connect(address, readSubprotocols(offered, this.#preset.opening.ignoresCase), options ?? given)
    } catch (error) {
      throw error instanceof SyntaxError ? this.#preset.errorForm(error, 'SyntaxError') : error
    }
  }

  /** The URL that a client connected to, after redirects; `''` at a server. */
  get url(): string {
    return this.#attempt?.url ?? ''
  }

  /** The chosen subprotocol, or `''`. */
  get protocol(): string {
    return this.#protocol
  }

  /** The extensions in use: `'permessage-deflate'` or `''`. */
  get extensions(): string {
    return this.#extensions
  }

  /** CONNECTING (0), OPEN (1), CLOSING (2) or CLOSED (3). */
  get readyState(): 0 | 1 | 2 | 3 {
    return (this.#connection ?? this.#attempt)?.readyState ?? WebSocket.CONNECTING
  }

  /** Bytes of payload that the operating system has not taken yet; frame headers are not counted. */
  get bufferedAmount(): number {
    return this.#connection?.bufferedAmount ?? 0
  }

  /** Whether {@link pause} holds messages. */
  get isPaused(): boolean {
    return this.#connection?.inbound.isHeld(Hold.paused) ?? false
  }

  /** The peer's address while it is connected; on a server with `trustProxy`, the client's address before the proxies. */
  get remoteAddress(): string | undefined {
    return this.#forwardedAddress ?? this.#connection?.remoteAddress
  }

  /** Milliseconds from the heartbeat's last Ping to its Pong; `undefined` before the first. */
  get latency(): number | undefined {
    return this.#connection?.latency
  }

  /** The type of binary messages; `'nodebuffer'` by default. As on the web, an invalid value is ignored. */
  get binaryType(): BinaryType {
    return this.#binaryType
  }
  set binaryType(type: BinaryType) {
    if (!Object.hasOwn(this.#preset.binaryForms, type)) return
    this.#binaryType = type
    if (this.#connection !== undefined) this.#connection.binaryType = type
  }

  /**
   * Sends a message.
   *
   * @param data - text, or bytes in any form. Bytes shorter than 16 KiB are copied; longer ones are not, and must stay
   *   unchanged until the callback
   * @param callback - called without an error when the operating system has taken the bytes, or with the reason why it
   *   will not
   * @returns `false` when more is queued than the socket's high-water mark: `'drain'` follows. Also when the connection
   *   is no longer open. Only the callback gets that error, because no program can know it in time
   * @throws TypeError when the data has a type that cannot be sent
   * @throws DOMException named InvalidStateError while the connection is being made
   */
  send(data: Payload | Blob, callback?: WriteCallback): boolean
  send(data: Payload | Blob, options?: SendOptions | null, callback?: WriteCallback): boolean
  send(
    data: Payload | Blob,
    // With a default, so that `send.length` is 1, as Web IDL prescribes.
    options: SendOptions | null | WriteCallback = null,
    callback?: WriteCallback,
  ): boolean {
    if (typeof options === 'function') return this.send(data, undefined, options)
    const payload = data instanceof Blob ? data : toPayload(data)
    const connection = this.#open(callback)
    if (connection === undefined) return false
    const how = messageOptions(data, options)
    return payload instanceof Blob
      ? connection.sender.sendBlob(payload, how, callback)
      : connection.sendMessage(payload, how, callback)
  }

  /**
   * Sends a Ping (RFC 6455 section 5.5.2).
   *
   * @param data - at most 125 bytes
   * @throws RangeError when it is longer
   */
  ping(data?: Payload, mask?: boolean, callback?: WriteCallback): void
  ping(data?: Payload, callback?: WriteCallback): void
  ping(callback?: WriteCallback): void
  ping(...values: unknown[]): void {
    this.#control(Opcode.ping, values)
  }

  /** Sends an unsolicited Pong (RFC 6455 section 5.5.3). @throws RangeError when the data is longer than 125 bytes */
  pong(data?: Payload, mask?: boolean, callback?: WriteCallback): void
  pong(data?: Payload, callback?: WriteCallback): void
  pong(callback?: WriteCallback): void
  pong(...values: unknown[]): void {
    this.#control(Opcode.pong, values)
  }

  /**
   * Begins the closing handshake (RFC 6455 section 7.1.2) after everything that was sent. Does nothing if it has begun.
   *
   * @param code - 1000 to 1003, 1007 to 1014, or 3000 to 4999; none by default
   * @param reason - at most 123 bytes of UTF-8
   * @throws TypeError when the code may not be sent; at a client a DOMException named InvalidAccessError
   * @throws RangeError when the reason is too long; at a client a DOMException named SyntaxError
   */
  close(...[code, reason]: [code?: number, reason?: string | Uint8Array]): void {
    if (this.#attempt !== undefined) this.#checkClose(code, reason)
    if (this.#connection !== undefined) this.#connection.close(code, reason)
    else this.#attempt?.fail(closedWhileConnecting())
  }

  /** Ends the connection at once, without a closing handshake: `'close'` has the code 1006. */
  terminate(): void {
    if (this.#connection !== undefined) this.#connection.terminate()
    else this.#attempt?.fail(closedWhileConnecting())
  }

  /**
   * Holds messages, and stops reading once 64 KiB are held, so that the peer has to wait too. Control frames before
   * the next message are still answered. If the connection ends, you have `closeTimeout` to resume. Messages that are not
   * delivered by then are counted in `dropped` of the close details.
   */
  pause(): void {
    this.#whenStarted(({ inbound }) => {
      inbound.hold(Hold.paused)
    })
  }

  /** Resumes after {@link pause}. */
  resume(): void {
    this.#whenStarted(({ inbound }) => {
      inbound.release(Hold.paused)
    })
  }

  /** Sends a broadcast of a hub; see {@link Member}. */
  deliver(message: PreparedMessage, limits: SlowLimits): boolean {
    return this.#connection?.sendShared(message, limits) ?? false
  }

  /**
   * Calls `listener` on this socket when it has closed, before `'close'` is emitted; see {@link Member}.
   *
   * @returns a function that removes the listener
   */
  onceClosed(
    listener: (this: this, code: number, reason: string, details: CloseDetails) => void,
  ): () => void {
    const watch = (target: Connection | Attempt): void => {
      target.onceClosed(listener)
    }
    const target = this.#connection ?? this.#attempt
    if (target === undefined) this.#whenStarted(watch)
    else watch(target)
    return () => {
      this.#actions?.delete(watch)
      this.#attempt?.offClosed(listener)
      this.#connection?.offClosed(listener)
    }
  }

  /**
   * Removes the application's listeners. Loops over the messages continue, and early messages still wait for a
   * consumer.
   */
  override removeAllListeners(event?: string | symbol): this {
    super.removeAllListeners(event)
    this.#iterators?.listen()
    this.#early?.listen()
    return this
  }

  /**
   * The messages in order. Reading waits for the loop's body. Ends when the connection closes, and throws the cause
   * if it broke.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<MessageData, undefined, undefined> {
    this.#iterators ??= new MessageIterators(this, (areHeld) => {
      this.#whenStarted(({ inbound }) => {
        if (areHeld) inbound.hold(Hold.iterating)
        else inbound.release(Hold.iterating)
      })
    })
    return this.#iterators.create()
  }

  /** Closes, and waits for `'close'`: `await using socket = await connect(url)`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.readyState === WebSocket.CLOSED) return
    await new Promise<void>((resolve) => {
      this.onceClosed(() => {
        resolve()
      })
      this.close()
    })
  }

  // For this package only: not in the published types.
  static {
    startAccepted = (webSocket, established, { user, params, forwardedAddress }) => {
      webSocket.user = user
      webSocket.params = params
      webSocket.#forwardedAddress = forwardedAddress
      webSocket.#start(established)
    }
    connectionOf = (webSocket) => webSocket.#connection
    attemptOf = (webSocket) => webSocket.#attempt
    failHandler = (webSocket, failure, isErrorListener) => {
      webSocket.#handlerFailed(failure, isErrorListener)
    }
    answerFirst = (webSocket, answer) => {
      webSocket.#whenStarted((connection) => {
        connection.answer = answer
      })
    }
    holdUntil = (webSocket, promise) => {
      webSocket.#holdUntil(promise)
    }
  }

  #connect(address: string | URL, protocols: ReadonlySet<string>, options: WebSocketOptions): void {
    const attempt = new Attempt(this, address, protocols, options, (established) => {
      this.#start(established)
      for (const listener of attempt.closedListeners) this.#connection?.onceClosed(listener)
      if (channels.connection.hasSubscribers) channels.connection.publish({ socket: this })
      this.#connection?.opened()
    })
    this.#attempt = attempt
    attempt.start()
    onAbort(this, options.signal ?? undefined, (reason) => {
      if (this.#connection === undefined) attempt.fail(abortError(reason))
      else this.#connection.terminate(toError(reason))
    })
  }

  #start(established: Established): void {
    const { socket, head, protocol, compression } = established
    this.#protocol = protocol
    if (compression !== undefined) this.#extensions = PERMESSAGE_DEFLATE
    if (socket instanceof Socket) {
      socket.setTimeout(0)
      socket.setNoDelay()
    }
    if (head.length > 0) socket.unshift(head)
    this.#connection = new Connection(established, this)
    this.#connection.binaryType = this.#binaryType
    for (const action of this.#actions ?? []) action(this.#connection)
    this.#actions = undefined
  }

  #whenStarted(action: (connection: Connection) => void): void {
    if (this.#connection !== undefined) action(this.#connection)
    else (this.#actions ??= new Set()).add(action)
  }

  #handlerFailed(failure: unknown, isErrorListener = false): void {
    if (this.#connection !== undefined) this.#connection.handlerFailed(failure, isErrorListener)
    else if (this.#attempt !== undefined) this.#attempt.handlerFailed(failure)
    else warnOfFailure(failure)
  }

  #holdUntil(promise: Promise<unknown> | undefined): void {
    if (this.#connection === undefined || this.listenerCount('message') > 0) return
    if (this.#connection.settings.preset.earlyMessages === 'drop') return
    if (this.#early === undefined) {
      this.#early = new EarlyMessages(this, this.#connection.inbound, promise !== undefined)
      this.onceClosed(this.#early.release)
    }
    if (promise !== undefined) this.#early.waitFor(promise)
  }

  /** The connection if it is open. @throws DOMException while it is being made */
  #open(callback: WriteCallback | null | undefined): Connection | undefined {
    const connection = this.#connection
    if (connection?.readyState === WebSocket.OPEN) return connection
    this.#refuse(callback)
    return undefined
  }

  /** @throws Error while the connection is being made */
  #refuse(callback: WriteCallback | null | undefined): void {
    const error = notOpenError(this.readyState)
    if (this.readyState === WebSocket.CONNECTING) throw this.#preset.errorForm(error, 'InvalidStateError')
    const bound = bindCallback(callback)
    if (bound !== undefined)
      runLater([bound], error, { onCallbackFailed: (failure) => this.#handlerFailed(failure) })
  }

  #checkClose(code?: number, reason?: string | Uint8Array): void {
    try {
      encodeClose(code, reason)
    } catch (error) {
      const name = error instanceof RangeError ? 'SyntaxError' : 'InvalidAccessError'
      throw this.#preset.errorForm(toError(error), name)
    }
  }

  #control(opcode: number, values: unknown[]): void {
    const callback = values.find((value) => typeof value === 'function') as WriteCallback | undefined
    this.#open(callback)?.sender.sendControl(opcode, controlPayload(values[0]), callback)
  }
}

// Node.js calls this when an async listener rejects.
Object.defineProperty(WebSocket.prototype, EventEmitter.captureRejectionSymbol, {
  value(this: WebSocket, failure: unknown, event: string): void {
    failHandler(this, failure, event === 'error')
  },
})

describeInterface(WebSocket)
