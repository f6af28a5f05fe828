import {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as httpRequest,
  type RequestOptions,
} from 'node:http'
import { request as httpsRequest, type RequestOptions as HttpsRequestOptions } from 'node:https'
import type { Duplex } from 'node:stream'
import { generateKey, HandshakeError, readResponse, VERSION } from '../protocol/handshake.js'
import { formatOffer, type PerMessageDeflateOptions, readAnswer } from '../protocol/permessage-deflate.js'
import {
  type Compression,
  compressionFor,
  type ConnectionSettings,
  type Established,
} from '../connection/settings.js'
import type { Extension } from '../protocol/header-grammar.js'
import { type Address, decode, parseAddress } from './address.js'

/** How a client opens a connection; TLS options and those of `http.request` are passed on. */
export interface OpeningOptions extends HttpsRequestOptions {
  /** The Origin header. */
  origin?: string
  /** Milliseconds for the whole handshake, redirects included; 10,000 by default. */
  handshakeTimeout?: number
  /** Whether redirects are followed; `false` by default. */
  followRedirects?: boolean
  /** The most redirects followed; 10 by default. */
  maxRedirects?: number
}

/** Who hears how the handshake goes. */
export interface OpeningListener {
  onOpen(established: Established): void
  /** The server's 101 answer, before it is checked. */
  onUpgrade(response: IncomingMessage): void
  /** A redirect that is about to be followed. */
  onRedirect(url: string, request: ClientRequest): void
  /** Another answer; `true` says that the listener deals with it. */
  onUnexpectedResponse(request: ClientRequest, response: IncomingMessage): boolean
  /** @param isHandled - whether the application has taken the server's answer, so that it is no error */
  onFailure(error: Error, isHandled: boolean): void
}

export const DEFAULT_HANDSHAKE_TIMEOUT = 10_000
const DEFAULT_MAX_REDIRECTS = 10
const REDIRECTS = new Set([301, 302, 303, 307, 308])
/** What speaks for the user, and is meant for the server that it was given for. */
const CREDENTIALS = new Set(['authorization', 'cookie', 'proxy-authorization'])

/** A client's opening handshake (RFC 6455 section 4.1), over as many redirects as are followed. */
export class OpeningHandshake {
  readonly #options: OpeningOptions
  readonly #protocols: ReadonlySet<string>
  readonly #deflate: PerMessageDeflateOptions | undefined
  readonly #settings: ConnectionSettings
  readonly #listener: OpeningListener
  readonly #timer: NodeJS.Timeout

  #address: Address
  #key = ''
  #redirects = 0
  #mayIdentify = true
  #request: ClientRequest | undefined
  #isOver = false

  constructor(
    address: Address,
    protocols: ReadonlySet<string>,
    deflate: PerMessageDeflateOptions | undefined,
    settings: ConnectionSettings,
    options: OpeningOptions,
    listener: OpeningListener,
  ) {
    this.#address = address
    this.#protocols = protocols
    this.#deflate = deflate
    this.#settings = settings
    this.#options = options
    this.#listener = listener
    const timeout = options.handshakeTimeout ?? DEFAULT_HANDSHAKE_TIMEOUT
    this.#timer = setTimeout(() => {
      this.fail(
        new Error(`Opening handshake has timed out: no answer within handshakeTimeout (${timeout} ms)`),
      )
    }, timeout)
    try {
      this.#send()
    } catch (error) {
      // A header or an option that node:http does not take; nothing is left behind.
      this.#finish()
      throw error
    }
  }

  /** Ends it; the listener hears of the error unless the handshake is over. */
  fail(error: Error, isHandled = false): void {
    if (this.#isOver) return
    this.#finish()
    this.#request?.destroy()
    this.#listener.onFailure(error, isHandled)
  }

  #finish(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #send(redirect?: string): void {
    const request = this.#makeRequest()
    this.#request = request
    request.on('error', (error) => {
      this.fail(error)
    })
    request.on('upgrade', (response, socket, head) => {
      this.#upgraded(response, socket, head)
    })
    request.on('response', (response) => {
      this.#answered(request, response)
    })
    if (redirect !== undefined) this.#listener.onRedirect(redirect, request)
    if (!this.#isOver) request.end()
  }

  #makeRequest(): ClientRequest {
    const { url, isSecure, path, socketPath } = this.#address
    this.#key = generateKey()
    const {
      origin,
      handshakeTimeout: _,
      followRedirects: __,
      maxRedirects: ___,
      signal: ____,
      ...passedOn
    } = this.#options
    const options: RequestOptions = {
      ...passedOn,
      method: 'GET',
      // No pool: the connection never goes back to one. An agent of any kind would pass `createConnection` over.
      agent: passedOn.agent ?? (passedOn.createConnection === undefined ? false : undefined),
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port || (isSecure ? 443 : 80),
      // Which goes without saying in the Host header, where an agent would know it.
      defaultPort: isSecure ? 443 : 80,
      path,
      headers: this.#headers(origin),
      ...(socketPath === undefined ? undefined : { socketPath, host: 'localhost' }),
    }
    if (!this.#mayIdentify) delete options.auth
    else if (url.username !== '' || url.password !== '') {
      options.auth = `${decode(url.username)}:${decode(url.password)}`
    }
    return isSecure ? httpsRequest(options) : httpRequest(options)
  }

  #headers(origin: string | undefined): OutgoingHttpHeaders {
    const headers: OutgoingHttpHeaders = {}
    for (const [name, value] of Object.entries((this.#options.headers ?? {}) as OutgoingHttpHeaders)) {
      const mayPass =
        this.#mayIdentify || !(CREDENTIALS.has(name.toLowerCase()) || name.toLowerCase() === 'host')
      if (value !== undefined && mayPass) headers[name] = value
    }
    headers.Connection = 'Upgrade'
    headers.Upgrade = 'websocket'
    headers['Sec-WebSocket-Key'] = this.#key
    headers['Sec-WebSocket-Version'] = VERSION
    if (origin !== undefined) headers.Origin = origin
    if (this.#protocols.size > 0) headers['Sec-WebSocket-Protocol'] = [...this.#protocols].join(', ')
    if (this.#deflate !== undefined) headers['Sec-WebSocket-Extensions'] = formatOffer(this.#deflate)
    return headers
  }

  #upgraded(response: IncomingMessage, socket: Duplex, head: Buffer): void {
    // From here on the socket is ours, and so are its errors.
    socket.on('error', ignore)
    this.#listener.onUpgrade(response)
    if (this.#isOver) {
      socket.destroy()
      return
    }
    try {
      const established = this.#check(response, socket, head)
      this.#finish()
      socket.off('error', ignore)
      this.#listener.onOpen(established)
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error
      socket.destroy()
      this.fail(error)
    }
  }

  #check(response: IncomingMessage, socket: Duplex, head: Buffer): Established {
    const { protocol, extensions } = readResponse(response, { key: this.#key, protocols: this.#protocols })
    return { socket, head, protocol, compression: this.#compression(extensions), settings: this.#settings }
  }

  #compression(extensions: readonly Extension[]): Compression | undefined {
    if (extensions.length === 0) return undefined
    const deflate =
      this.#deflate === undefined
        ? 'the server accepted one, but none was offered'
        : readAnswer(extensions, this.#deflate)
    if (typeof deflate === 'string') {
      throw new HandshakeError(101, `Invalid Sec-WebSocket-Extensions header: ${deflate}`)
    }
    return compressionFor(deflate, 'client', this.#deflate ?? {})
  }

  #answered(request: ClientRequest, response: IncomingMessage): void {
    const status = response.statusCode ?? 0
    const { location } = response.headers
    if (REDIRECTS.has(status) && location !== undefined && this.#options.followRedirects === true) {
      request.destroy()
      this.#redirect(location)
    } else if (status === 101) {
      // Node takes it for an upgrade when both headers say so.
      const why =
        response.headers.upgrade === undefined
          ? 'Invalid Upgrade header: the server did not name websocket'
          : 'Invalid Connection header: the server did not name Upgrade'
      this.fail(new HandshakeError(status, why))
    } else if (this.#listener.onUnexpectedResponse(request, response)) {
      // The listener reads the answer in its own time; then, or when it ends the request, the attempt has failed.
      clearTimeout(this.#timer)
      response.once('close', () => {
        this.fail(unexpected(status), true)
      })
    } else {
      this.fail(unexpected(status))
    }
  }

  #redirect(location: string): void {
    if (++this.#redirects > (this.#options.maxRedirects ?? DEFAULT_MAX_REDIRECTS)) {
      this.fail(new Error('Maximum redirects exceeded'))
      return
    }
    let next: Address
    try {
      next = parseAddress(location, this.#address.url)
    } catch (error) {
      this.fail(error as Error)
      return
    }
    if (this.#address.isSecure && !next.isSecure) {
      this.fail(new Error(`Refused a redirect from wss: to ${next.url.protocol} (${next.url.href})`))
    } else if (next.socketPath !== undefined) {
      this.fail(new Error(`Refused a redirect to a unix socket (${next.url.href})`))
    } else {
      if (next.url.host !== this.#address.url.host || this.#address.socketPath !== undefined)
        this.#mayIdentify = false
      this.#address = next
      this.#send(next.url.href)
    }
  }
}

function unexpected(status: number): HandshakeError {
  return new HandshakeError(status, `Unexpected server response: ${status}`)
}

function ignore(): void {
  // The failure that matters is the one that made us drop the socket.
}
