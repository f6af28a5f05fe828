import { AsyncResource } from 'node:async_hooks'
import type { EventEmitter } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { parseAddress } from '../client/address.js'
import { OpeningHandshake, type OpeningListener } from '../client/opening-handshake.js'
import type { OpeningOptions } from '../client/opening-options.js'
import { CLIENT_OPTIONS } from '../connection/option-names.js'
import { throwLater, toError } from '../options/thrown.js'
import { checkBoolean, withoutNulls } from '../options/checks.js'
import { describe } from '../options/describe.js'
import { checkNames } from '../options/spelling.js'
import { callClosed, type ClosedListener } from '../connection/event-scope.js'
import { channels } from '../connection/diagnostics.js'
import { warnOfFailure } from '../connection/failures.js'
import { type Preset, presetOf } from '../connection/preset.js'
import {
  checkConnectionFlags,
  type ConnectionOptions,
  connectionSettings,
  deflateOptions,
  type Established,
} from '../connection/settings.js'
import { CloseCode } from '../protocol/close-codes.js'
import { maskingKeysFrom, randomMaskingKey } from '../sending/masking-keys.js'
import type { SocketEmitter, WebSocketEvents } from './socket-emitter.js'

/** The options of a client. */
export interface WebSocketOptions extends ConnectionOptions, Omit<OpeningOptions, 'signal'> {
  /** Ends the connection, or the attempt to connect, when it is aborted. */
  signal?: AbortSignal
  /** Fills the masking key of each frame, for tests; keys are from the system's random source by default. */
  generateMask?: (bytes: Buffer) => void
}

/** @throws TypeError naming the option, its value and what to write */
function checkClientOptions(options: WebSocketOptions): void {
  checkNames(options, CLIENT_OPTIONS)
  checkConnectionFlags(options)
  checkBoolean('followRedirects', options.followRedirects)
  // Not by its class: a test runner may have globals of its own.
  const { signal } = options as { signal?: Partial<AbortSignal> | null }
  if (signal === undefined || signal === null || typeof signal.addEventListener === 'function') return
  throw new TypeError(`signal must be an AbortSignal; it is ${describe(signal)}`)
}

/**
 * A client's attempt to connect. It results in an open connection, or in one `'error'` (if it has a listener) and one
 * `'close'`. It is the async context of its events, the one in which the socket was constructed.
 * @internal
 */
export class Attempt extends AsyncResource implements OpeningListener {
  /** CONNECTING (0), CLOSING (2) or CLOSED (3). */
  readyState: 0 | 2 | 3 = 0
  /** The URL, after the redirects so far. */
  url: string
  readonly #emitter: SocketEmitter
  readonly #onEstablished: (established: Established) => void
  readonly #handshake: OpeningHandshake
  readonly #closedListeners = new Set<ClosedListener>()
  readonly #preset: Preset

  /**
   * @throws SyntaxError when the URL is not valid
   * @throws RangeError when an option is out of its range
   */
  constructor(
    emitter: SocketEmitter,
    address: string | URL,
    protocols: ReadonlySet<string>,
    given: WebSocketOptions,
    onEstablished: (established: Established) => void,
  ) {
    super('HubwireHandshake')
    this.#emitter = emitter
    this.#onEstablished = onEstablished
    const options = withoutNulls(given)
    if (presetOf(options).checksOptions) checkClientOptions(options)
    const deflate = deflateOptions(options.perMessageDeflate)
    const keys = options.generateMask === undefined ? randomMaskingKey : maskingKeysFrom(options.generateMask)
    const settings = connectionSettings(options, 'server', keys)
    this.#preset = settings.preset
    const target = parseAddress(address)
    this.url = target.url.href
    this.#handshake = new OpeningHandshake(target, protocols, deflate, settings, options, this)
  }

  /** Sends the request. @throws TypeError for a header or an option that `http.request` does not take */
  start(): void {
    this.#handshake.start()
  }

  /** The state of the handshake. */
  get handshake(): Pick<OpeningHandshake, 'request' | 'redirects'> {
    return this.#handshake
  }

  /** Calls `listener` once when the attempt has failed. */
  onceClosed(listener: ClosedListener): void {
    this.#closedListeners.add(listener)
  }

  /** Removes a listener of {@link onceClosed}. */
  offClosed(listener: ClosedListener): void {
    this.#closedListeners.delete(listener)
  }

  /** The listeners of {@link onceClosed}, to pass them to the open connection. */
  get closedListeners(): Iterable<ClosedListener> {
    return this.#closedListeners
  }

  /** Aborts the attempt. */
  fail(error: Error): void {
    this.#handshake.fail(error)
  }

  onOpen(established: Established): void {
    this.runInAsyncScope(this.#onEstablished, undefined, established)
  }

  onUpgrade(response: IncomingMessage): void {
    this.#emit('upgrade', response)
  }

  watchesRedirects(): boolean {
    return this.#emitter.listenerCount('redirect') > 0
  }

  onRedirect(url: string, request: ClientRequest): void {
    this.url = url
    this.#emit('redirect', url, request)
  }

  onUnexpectedResponse(request: ClientRequest, response: IncomingMessage): boolean {
    return this.#emit('unexpected-response', request, response)
  }

  endRequest(request: ClientRequest): void {
    const { finishRequest } = this.#preset.opening
    if (finishRequest === undefined) request.end()
    else this.runInAsyncScope(finishRequest, undefined, request, this.#emitter)
  }

  onFailure(error: Error, isHandled: boolean): void {
    if (this.readyState !== 0) return
    this.readyState = 2
    process.nextTick(() => {
      this.runInAsyncScope(this.#close, this, error, isHandled)
    })
  }

  #close(error: Error, isHandled: boolean): void {
    // In WHATWG's standard an attempt is over before its failure is reported; `ws` reports it first.
    if (this.#preset.errorEvents === 'heard') this.readyState = 3
    if (!isHandled && channels.error.hasSubscribers) channels.error.publish({ socket: this.#emitter, error })
    const isEmitted = this.#preset.errorEvents === 'always' || this.#emitter.listenerCount('error') > 0
    if (!isHandled && isEmitted) this.#emit('error', this.#preset.toErrorEvent?.(error) ?? error)
    this.readyState = 3
    const details = { wasClean: false, initiator: 'local', cause: error, dropped: 0 } as const
    callClosed(this.#closedListeners, this.#emitter, [CloseCode.abnormal, '', details], (failure) => {
      this.handlerFailed(failure)
    })
    const isText = this.#preset.closeReason === 'string'
    this.#emit('close', CloseCode.abnormal, isText ? '' : (Buffer.alloc(0) as unknown as string), details)
  }

  /**
   * Emits an event in its context. A failing listener ends the attempt; if the attempt is over, the failure is
   * reported.
   */
  #emit<Name extends keyof WebSocketEvents>(name: Name, ...values: WebSocketEvents[Name]): boolean {
    try {
      return this.runInAsyncScope(emit, undefined, this.#emitter, name, values)
    } catch (failure) {
      this.handlerFailed(failure)
      return true
    }
  }

  /** A handler failed before there was a connection. */
  handlerFailed(failure: unknown): void {
    if (this.#preset.handlerFailure === 'throw') {
      throwLater(failure)
      return
    }
    if (this.readyState !== 0 || this.#emitter.listenerCount('error') === 0) warnOfFailure(failure)
    this.#handshake.fail(toError(failure), false)
  }
}

function emit(emitter: EventEmitter, name: string, values: unknown[]): boolean {
  return emitter.emit(name, ...values)
}
