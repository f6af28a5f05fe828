import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { Duplex } from 'node:stream'
import { ignore } from '../options/ignore.js'
import { withoutNulls } from '../options/checks.js'
import {
  fieldsOf,
  generateKey,
  type HandshakeError,
  invalidExtensions,
  invalidResponse,
  NO_CONNECTION,
  NO_UPGRADE,
  readResponse,
  refused,
  refusedByStatus,
} from '../protocol/handshake.js'
import { formatOffer, type PerMessageDeflateOptions, readAnswer } from '../protocol/permessage-deflate.js'
import {
  type Compression,
  compressionFor,
  type ConnectionSettings,
  DEFAULT_HANDSHAKE_TIMEOUT,
  type Established,
} from '../connection/settings.js'
import type { Extension } from '../protocol/header-grammar.js'
import type { Address } from './address.js'
import { ConnectError } from './connect-error.js'
import { checkOpeningOptions, type OpeningOptions } from './opening-options.js'
import { NotFollowed, Redirects } from './redirects.js'
import { readBody } from './refusal-body.js'

/** Receives the events of the handshake. */
export interface OpeningListener {
  onOpen(established: Established): void
  /** The server's 101 answer, before it is checked. */
  onUpgrade(response: IncomingMessage): void
  /** A request is ready to be sent. */
  endRequest(request: ClientRequest): void
  /** Whether the application listens for redirects. */
  watchesRedirects(): boolean
  /** A redirect that is about to be followed. */
  onRedirect(url: string, request: ClientRequest): void
  /** An answer that does not accept; returns whether the application handles it. */
  onUnexpectedResponse(request: ClientRequest, response: IncomingMessage): boolean
  /** @param isHandled - whether the application handles the answer that the attempt failed with */
  onFailure(error: Error, isHandled: boolean): void
}

/** A client's opening handshake (RFC 6455 section 4.1), over as many redirects as are followed. */
export class OpeningHandshake {
  readonly #options: OpeningOptions
  readonly #protocols: ReadonlySet<string>
  readonly #deflate: PerMessageDeflateOptions | undefined
  readonly #settings: ConnectionSettings
  readonly #listener: OpeningListener
  readonly #redirects: Redirects
  #timer: NodeJS.Timeout | undefined
  #key = ''
  #request: ClientRequest | undefined
  /** Whether the application handles an answer that does not accept. */
  #isHandled = false
  /** Fails with the part of the answer that has arrived. */
  #finishReading: (() => void) | undefined
  #isOver = false

  /**
   * @throws RangeError when a number in the options is out of its range
   * @throws TypeError when an option is not valid
   */
  constructor(
    address: Address,
    protocols: ReadonlySet<string>,
    deflate: PerMessageDeflateOptions | undefined,
    settings: ConnectionSettings,
    options: OpeningOptions,
    listener: OpeningListener,
  ) {
    this.#protocols = protocols
    this.#deflate = deflate
    this.#settings = settings
    this.#options = withoutNulls(options)
    this.#listener = listener
    checkOpeningOptions(this.#options)
    this.#redirects = new Redirects(address, this.#options, settings.preset.opening.redirects)
  }

  /** The current request; `undefined` once the handshake is over. */
  get request(): ClientRequest | undefined {
    return this.#isOver ? undefined : this.#request
  }

  /** The number of redirects so far. */
  get redirects(): number {
    return this.#redirects.count
  }

  /**
   * Sends the request.
   *
   * @throws TypeError for a header or an option that `http.request` does not take
   */
  start(): void {
    this.#send(this.#makeRequest())
    const { handshakeTimeout = DEFAULT_HANDSHAKE_TIMEOUT } = this.#options
    // The application may have given up while the request was made.
    if (this.#isOver) return
    if (handshakeTimeout !== 0 && handshakeTimeout !== Infinity) this.#startTimer(handshakeTimeout)
  }

  /**
   * Ends the handshake, and passes the error to the listener unless it is already over.
   *
   * @param isHandled - whether the application handles the answer that the attempt failed with, so that the end is no
   *   error. In hubwire/ws, an application that does so and ends the attempt receives the error, as in `ws`
   */
  fail(
    error: Error,
    isHandled: boolean = this.#isHandled && this.#settings.preset.errorEvents === 'heard',
  ): void {
    if (this.#isOver) return
    this.#finish()
    this.#request?.destroy()
    this.#listener.onFailure(error, isHandled)
  }

  #startTimer(timeout: number): void {
    this.#timer = setTimeout(() => {
      this.#finishReading?.()
      this.fail(
        new ConnectError(
          'WS_ERR_HANDSHAKE_TIMEOUT',
          `Opening handshake has timed out: no answer within handshakeTimeout (${timeout} ms)`,
        ),
      )
    }, timeout)
  }

  #finish(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #makeRequest(): ClientRequest {
    this.#key = generateKey()
    const headers: OutgoingHttpHeaders = { 'Sec-WebSocket-Key': this.#key }
    if (this.#protocols.size > 0) headers['Sec-WebSocket-Protocol'] = [...this.#protocols].join(', ')
    if (this.#deflate !== undefined) headers['Sec-WebSocket-Extensions'] = formatOffer(this.#deflate)
    headers['Sec-WebSocket-Version'] = this.#settings.preset.opening.protocolVersion
    return this.#redirects.makeRequest(headers, this.#listener.watchesRedirects())
  }

  #send(request: ClientRequest, redirect?: string): void {
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
    if (!this.#isOver) this.#listener.endRequest(request)
  }

  #upgraded(response: IncomingMessage, socket: Duplex, head: Buffer): void {
    // From here on, Node leaves the socket and its errors to us. What makes us destroy it is reported instead.
    socket.on('error', ignore)
    this.#listener.onUpgrade(response)
    if (this.#isOver) {
      socket.destroy()
      return
    }
    let established: Established
    try {
      established = this.#check(response, socket, head)
    } catch (error) {
      socket.destroy()
      this.fail(error as HandshakeError)
      return
    }
    this.#finish()
    socket.off('error', ignore)
    this.#listener.onOpen(established)
  }

  /** @throws HandshakeError when the answer breaks the rules */
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
      throw invalidExtensions(deflate)
    }
    return compressionFor(deflate, 'client', this.#deflate ?? {})
  }

  #answered(request: ClientRequest, response: IncomingMessage): void {
    const status = response.statusCode ?? 0
    const { location } = response.headers
    if (this.#redirects.isFollowed(status, location)) {
      this.#redirect(location, response)
    } else if (status === 101) {
      // Node.js treats the response as an upgrade if both headers say so.
      const why = response.headers.upgrade === undefined ? NO_UPGRADE : NO_CONNECTION
      this.fail(invalidResponse(status, why))
    } else if (this.#isHandledBy(request, response)) {
      // The application reads the answer. The attempt is over when it has been read, or when the request ends; as in `ws`,
      // a client of hubwire/ws waits until the application ends it.
      clearTimeout(this.#timer)
      if (this.#settings.preset.errorEvents === 'always') return
      response.once('close', () => {
        this.fail(refused(response), true)
      })
    } else {
      this.#failWithBody(response, (body) =>
        this.#isStatusEnough ? refusedByStatus(response) : refused(response, body),
      )
    }
  }

  /** Whether the body of an answer that does not accept is left unread. */
  get #isStatusEnough(): boolean {
    return this.#settings.preset.opening.refusals === 'status-only'
  }

  /** Fails once the body of the answer has been read. */
  #failWithBody(response: IncomingMessage, toError: (body?: string) => Error): void {
    if (this.#isOver) return
    if (this.#isStatusEnough) {
      this.fail(toError())
      return
    }
    this.#finishReading = readBody(response, (body) => {
      this.fail(toError(body))
    })
  }

  #isHandledBy(request: ClientRequest, response: IncomingMessage): boolean {
    // This also applies while the listener runs, which may abort the attempt.
    this.#isHandled = true
    this.#isHandled = this.#listener.onUnexpectedResponse(request, response)
    return this.#isHandled
  }

  #redirect(location: string, response: IncomingMessage): void {
    const before = this.#request
    let request: ClientRequest
    try {
      this.#redirects.follow(location)
      request = this.#makeRequest()
    } catch (error) {
      // The server chose the URL, so a mistake in it must not become an uncaught exception.
      this.#failWithBody(response, (body) => notFollowed(error as Error, response, body))
      return
    }
    before?.destroy()
    this.#send(request, this.#redirects.url.href)
  }
}

/** The error for a redirect that is not followed, with the server's answer. */
function notFollowed(error: Error, answer: IncomingMessage, body = ''): ConnectError {
  const response = { status: answer.statusCode ?? 0, headers: fieldsOf(answer), body }
  if (error instanceof NotFollowed) return new ConnectError(error.code, error.message, { response })
  return new ConnectError('WS_ERR_INVALID_REDIRECT', `Invalid redirect: ${error.message}`, {
    cause: error,
    response,
  })
}
