import type { ClientRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import { ignore } from '../options/ignore.js'
import { type ConnectionOptions, connectionSettings } from '../connection/settings.js'
import { Opcode } from '../protocol/opcodes.js'
import { isBinaryByDefault, type Payload, toPayload } from '../sending/payload.js'
import { randomMaskingKey } from '../sending/masking-keys.js'
import type { WriteCallback } from '../sending/send-callback.js'
import type { WebSocketOptions } from '../websocket/attempt.js'
import type { SendOptions } from '../websocket/send-options.js'
import { attemptOf, connectionOf, startAccepted, WebSocket as CoreWebSocket } from '../websocket/websocket.js'
import { clientOptions, type GivenOptions, serverOptions } from './defaults.js'
import { defineEventTarget } from './event-target.js'
import { Sender } from './sender.js'

/** The arguments of a client. */
interface ClientOptions extends GivenOptions {
  readonly protocolVersion?: number | null
  readonly finishRequest?: ((request: ClientRequest, socket: unknown) => void) | null
}

const ATTRIBUTES = ['binaryType', 'bufferedAmount', 'extensions', 'isPaused', 'protocol', 'readyState', 'url']
const EMPTY = Buffer.alloc(0)

/** The `WebSocket` of the package `ws`, over the same connections as that of `hubwire`. */
export class WebSocket extends CoreWebSocket {
  #sender: Sender | undefined
  /** Bytes of messages that were sent after it had closed. */
  #unsent = 0

  /** @param address - `null` creates the socket of a server, with that server's options */
  constructor(address: string | URL | null, protocols?: unknown, options?: ClientOptions | null) {
    if (address === null) super(null, undefined, options as WebSocketOptions)
    else {
      const isOptions = typeof protocols === 'object' && protocols !== null && !Array.isArray(protocols)
      const given = (isOptions ? protocols : (options ?? {})) as ClientOptions
      super(address, isOptions ? [] : readProtocols(protocols), toCoreOptions(given))
    }
  }

  /** The underlying stream once it is open. */
  get _socket(): Duplex | null {
    return connectionOf(this)?.socket ?? null
  }

  /** The current request of a client's opening handshake; `null` once that is over. */
  get _req(): ClientRequest | null {
    return attemptOf(this)?.handshake.request ?? null
  }

  /** The number of redirects that a client followed. */
  get _redirects(): number | undefined {
    return attemptOf(this)?.handshake.redirects
  }

  /** Sends complete frames; `null` until it is open. */
  get _sender(): Sender | null {
    if (connectionOf(this) === undefined) return null
    return (this.#sender ??= new Sender(() =>
      this.readyState === this.OPEN ? connectionOf(this)?.sender : undefined,
    ))
  }

  /** Whether {@link setSocket} creates the server's end. */
  _isServer = true

  /** Opens a socket that was created with `null` over a stream, for tests without an HTTP server. */
  setSocket(socket: Duplex, head: Buffer, options: GivenOptions = {}): void {
    const from = this._isServer ? 'client' : 'server'
    const keys = this._isServer ? undefined : randomMaskingKey
    const settings = connectionSettings(serverOptions(options) as ConnectionOptions, from, keys)
    const established = { socket, head, protocol: '', compression: undefined, settings }
    startAccepted(this, established, { params: {}, user: undefined, forwardedAddress: undefined })
    this.emit('open')
  }

  override get bufferedAmount(): number {
    return super.bufferedAmount + this.#unsent
  }

  override send(
    data: Payload | Blob,
    options?: SendOptions | null | WriteCallback,
    callback?: WriteCallback,
  ): boolean {
    if (typeof options === 'function') return this.send(data, undefined, options)
    if (this.readyState > this.OPEN) this.#unsent += lengthOf(data)
    else if ((options as { mask?: boolean } | undefined)?.mask === false)
      return this.#sendPlain(data, options, callback)
    if (typeof data === 'string' || Buffer.isBuffer(data)) return super.send(data, options, callback)
    return super.send(data instanceof Blob ? data : readPayload(data), options, callback)
  }

  override ping(...values: unknown[]): void {
    if (this.readyState > this.OPEN) this.#unsent += lengthOf(values[0])
    withControl(values, (read) => {
      super.ping(...(read as []))
    })
  }

  override pong(...values: unknown[]): void {
    if (this.readyState > this.OPEN) this.#unsent += lengthOf(values[0])
    withControl(values, (read) => {
      super.pong(...(read as []))
    })
  }

  override close(code?: number, reason?: string | Uint8Array): void {
    if (this.readyState === this.CONNECTING) super.terminate()
    else if (this.readyState === this.OPEN) super.close(code, code === undefined ? undefined : reason)
  }

  /** Ends the connection at once. What was sent before is written first: in `ws` every `send()` writes. */
  override terminate(): void {
    connectionOf(this)?.sender.flush()
    super.terminate()
  }

  override pause(): void {
    if (this.readyState === this.OPEN || this.readyState === this.CLOSING) super.pause()
  }

  override resume(): void {
    if (this.readyState === this.OPEN || this.readyState === this.CLOSING) super.resume()
  }

  /** Sends without a mask, which a server must refuse (RFC 6455 section 5.1), for tests of servers. */
  #sendPlain(data: unknown, options: SendOptions | null | undefined, callback?: WriteCallback): boolean {
    const { binary = isBinaryByDefault(data), fin = true } = options ?? {}
    const payload = Buffer.from(readPayload(data) as string)
    const opcode = binary ? Opcode.binary : Opcode.text
    this._sender?.sendFrame(Sender.frame(payload, { opcode, fin }), callback)
    return true
  }
}

// In `ws` both have the constants, and the prototype has the attributes; some programs list or copy them.
for (const [value, name] of ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'].entries()) {
  for (const owner of [WebSocket, WebSocket.prototype])
    Object.defineProperty(owner, name, { value, enumerable: true })
}
for (const name of ATTRIBUTES) {
  const own = Object.getOwnPropertyDescriptor(WebSocket.prototype, name)
  const inherited = Object.getOwnPropertyDescriptor(CoreWebSocket.prototype, name)
  Object.defineProperty(WebSocket.prototype, name, {
    configurable: true,
    ...inherited,
    ...own,
    enumerable: true,
  })
}

defineEventTarget(WebSocket.prototype)

function toCoreOptions(given: ClientOptions): WebSocketOptions {
  const version = given.protocolVersion ?? 13
  if (version !== 13 && version !== 8) {
    throw new RangeError(`The option protocolVersion must be 13 or 8; it is ${version}`)
  }
  const opening = {
    protocolVersion: String(version),
    finishRequest: typeof given.finishRequest === 'function' ? given.finishRequest : undefined,
  }
  return clientOptions(given, opening) as WebSocketOptions
}

/** `ws` sends an empty message for `null`, and an array of numbers as bytes. */
function readPayload(data: unknown): Payload {
  if (typeof data === 'number') return String(data)
  if (data === null || data === undefined || data === false) return EMPTY
  return Array.isArray(data) ? Buffer.from(data as number[]) : toPayload(data)
}

function readProtocols(protocols: unknown = []): string[] {
  const list = (Array.isArray(protocols) ? protocols : [protocols]) as unknown[]
  if (list.every((protocol) => typeof protocol === 'string')) return list
  throw new SyntaxError(`Subprotocols must be strings; they are ${JSON.stringify(list)}`)
}

function lengthOf(data: unknown): number {
  if (typeof data === 'function') return 0
  return data instanceof Blob ? data.size : Buffer.byteLength(readPayload(data) as string)
}

/** Reads the arguments of a Ping or Pong. A Blob is read first, and dropped if the socket has closed by then. */
function withControl(values: readonly unknown[], send: (values: readonly unknown[]) => void): void {
  const [data, ...rest] = values
  if (data instanceof Blob) {
    // A control frame whose Blob cannot be read is not sent.
    data.arrayBuffer().then((bytes) => {
      send([bytes, ...rest])
    }, ignore)
  } else if (typeof data === 'function' || data === undefined) send(values)
  else send([readPayload(data), ...rest])
}
