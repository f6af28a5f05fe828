import { ABNORMAL, isBusy, isFinal, isOrdinary, UNAUTHORIZED } from './close-codes.js'
import { environment, type Sendable, type SocketLike } from './environment.js'
import {
  type CloseInfo,
  readOptions,
  type ReconnectingOptions,
  type Settings,
  type UrlSource,
} from './options.js'
import type { Status, WaitingReason } from './status.js'
import { type ReconnectingEvents, TypedEventTarget } from './typed-event-target.js'
import { resolveUrl } from './url.js'
import { Watchdog } from './watchdog.js'

const OPEN = 1
const NO_CLOSE: CloseInfo = { code: ABNORMAL, reason: '', wasClean: false }
/** After this many failed attempts in a row, the reason is `'unreachable-or-refused'`. */
const MANY = 3
/** Events about the network and the page's lifecycle, all of which reach the global object. */
const WAKE_UPS = ['online', 'offline', 'visibilitychange', 'pageshow', 'pagehide']

/**
 * A WebSocket that reconnects automatically and reports its state: as `status`, and with a `'state'` event on each
 * change. It connects when it is created, works in pages, workers, Node.js, Deno and Bun, and never throws because of
 * the network.
 *
 * ```ts
 * const socket = new ReconnectingWebSocket(async () => `/ws/chat/?token=${await freshToken()}`, { ping: {} })
 * socket.addEventListener('state', ({ state }) => console.log(state))
 * socket.addEventListener('message', ({ data }) => console.log(data))
 * socket.send('hello') // 'sent', 'queued' or 'dropped'
 * ```
 *
 * After 1008 and 4400 to 4499 it does not reconnect, because the server would refuse again. The exceptions are 4408 and
 * 4429, and 4401 once, so that the URL function can return a fresh token.
 */
export class ReconnectingWebSocket<Position = unknown> extends TypedEventTarget {
  readonly #source: UrlSource<Position>
  readonly #settings: Settings<Position>
  readonly #queue: Sendable[] = []
  #status: Status = { state: 'connecting', attempt: 1 }
  #socket: SocketLike | undefined
  #watchdog: Watchdog | undefined
  /** Aborted when the attempt, its connection, or the wait behind it is abandoned. Then there is another one. */
  #attempt = new AbortController()
  /** The timer of the attempt, of the wait for the next one, or until an open connection counts as stable. */
  #timer: ReturnType<typeof setTimeout> | undefined
  #triedAt = 0
  /** Since the last stable connection. */
  #failures = 0
  /** Attempts in a row that did not open. */
  #unopened = 0
  #wasOpen = false
  #wasRefused = false
  #wasLogged = false
  #code: number | undefined
  #position: Position | undefined
  /** A position was asked for, and the server has not said whether it could go on from there. */
  #asksForRecovery = false

  /**
   * @param url - absolute, or relative to the page; a function is called for each attempt
   * @throws TypeError if the URL is not one that can be connected to, or there is no class that connects
   * @throws RangeError if an option is out of its range
   */
  constructor(url: UrlSource<Position>, options?: ReconnectingOptions<Position> | null) {
    super()
    if (typeof url === 'string' || url instanceof URL) resolveUrl(url)
    this.#source = url
    this.#settings = readOptions(options ?? {})
    this.#listen('addEventListener')
    this.#connect()
  }

  /**
   * The current state. The object stays the same until the next `'state'` event, as React's `useSyncExternalStore`
   * requires.
   */
  get status(): Status {
    return this.#status
  }

  /** The subprotocol that the server chose, or `''`. */
  get protocol(): string {
    return this.#socket?.protocol ?? ''
  }

  /** Bytes that the open connection has not sent yet; queued messages are not counted. */
  get bufferedAmount(): number {
    return this.#socket?.bufferedAmount ?? 0
  }

  /** Milliseconds from the last ping of this connection to its answer; `undefined` before the first. */
  get latency(): number | undefined {
    return this.#watchdog?.latency
  }

  /**
   * Sends a message, queues it, or drops it. Nothing is sent twice: what was sent just before the connection
   * broke may have arrived or not.
   *
   * @returns `'sent'` when the open connection has taken it, `'queued'` when it waits for the next one, `'dropped'` when
   *   there is no connection and no room in the queue
   */
  send(data: Sendable): 'sent' | 'queued' | 'dropped' {
    if (this.#socket?.readyState === OPEN && this.#status.state === 'open') {
      this.#socket.send(data)
      return 'sent'
    }
    if (this.#status.state === 'closed' || this.#queue.length >= this.#settings.queue) return 'dropped'
    this.#queue.push(data)
    return 'queued'
  }

  /** Connects now: ends a wait, replaces an open connection, and starts again after `'closed'`. */
  reconnect(): void {
    if (this.#status.state === 'closed') this.#listen('addEventListener')
    this.#abandon(1000)
    this.#failures = 0
    this.#wasRefused = false
    this.#connect()
  }

  /**
   * Closes, and does not reconnect.
   *
   * @param code - 1000, or 3000 to 4999
   * @param reason - at most 123 bytes of UTF-8
   * @throws RangeError if the code may not be sent, or the reason is too long
   */
  close(code: number | null = 1000, reason: string | null = ''): void {
    code ??= 1000
    if (code !== 1000 && !(code >= 3000 && code <= 4999)) {
      throw new RangeError(`The code must be 1000, or 3000 to 4999; it is ${code}`)
    }
    reason ??= ''
    if (new TextEncoder().encode(reason).length > 123) {
      throw new RangeError(`The reason must be at most 123 bytes; it is ${JSON.stringify(reason)}`)
    }
    if (this.#status.state !== 'closed') this.#end(code, reason)
  }

  #listen(method: 'addEventListener' | 'removeEventListener'): void {
    for (const type of WAKE_UPS) environment[method]?.(type, this.#onWakeUp)
  }

  #connect(): void {
    clearTimeout(this.#timer)
    this.#triedAt = Date.now()
    this.#timer = setTimeout(() => {
      this.#lose('failed')
    }, this.#settings.connectTimeout)
    void this.#open(this.#attempt.signal)
    this.#become({ state: 'connecting', attempt: this.#failures + 1 })
  }

  async #open(signal: AbortSignal): Promise<void> {
    try {
      // Asynchronously, so that listeners that are added after the constructor receive its failures.
      await Promise.resolve()
      if (signal.aborted) return
      const [source, position] = [this.#source, this.#position]
      const url = await (typeof source === 'function'
        ? source({ attempt: this.#failures + 1, position, code: this.#code, signal })
        : source)
      if (signal.aborted) return
      this.#asksForRecovery = position !== undefined
      this.#follow(new this.#settings.WebSocket(resolveUrl(url), this.#settings.protocols))
    } catch (error) {
      if (!signal.aborted) this.#report(error)
      // A listener may have closed it.
      if (!signal.aborted) this.#lose('failed', { ...NO_CLOSE, reason: String(error) })
    }
  }

  #follow(socket: SocketLike): void {
    this.#socket = socket
    socket.binaryType = this.#settings.binaryType
    socket.onopen = () => {
      this.#opened(socket)
    }
    socket.onmessage = ({ data }: { data: unknown }) => {
      this.#received(data)
    }
    socket.onclose = (close: CloseInfo) => {
      this.#lose(this.#status.state === 'open' ? 'closed' : 'failed', close)
    }
    // A close follows. Without a listener some classes throw.
    socket.onerror = () => undefined
  }

  #opened(socket: SocketLike): void {
    const { pinging, stableAfter, isRecovered } = this.#settings
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#failures = 0
      this.#wasRefused = this.#wasLogged = false
    }, stableAfter)
    this.#unopened = 0
    if (pinging !== undefined) {
      this.#watchdog = new Watchdog(
        pinging,
        (message) => {
          // One that waited in the queue would take the place of a message, and reach the next connection.
          if (socket.readyState === OPEN) socket.send(message)
        },
        () => {
          this.#lose('silent')
        },
      )
    }
    this.#become({ state: 'open' })
    // Without a position there was nothing to resume from.
    if (isRecovered && this.#wasOpen && !this.#asksForRecovery)
      this.#dispatch('recovery', { recovered: false })
    this.#wasOpen = true
    while (this.#queue.length > 0 && this.#socket === socket && socket.readyState === OPEN) {
      this.#ask((data) => socket.send(data), this.#queue.shift()!)
    }
  }

  #received(data: unknown): void {
    if (this.#ask((message) => this.#watchdog?.hear(message), data)) return
    const { position, isRecovered } = this.#settings
    this.#position = this.#ask(position, data) ?? this.#position
    const recovered = this.#asksForRecovery ? this.#ask(isRecovered, data) : undefined
    if (recovered !== undefined) {
      this.#asksForRecovery = false
      this.#dispatch('recovery', { recovered })
    }
    this.#dispatch('message', { data })
  }

  /** The attempt failed or the connection ended: schedules the next attempt, unless the server's refusal is final. */
  #lose(cause: WaitingReason, close: CloseInfo = NO_CLOSE): void {
    const { code, reason } = close
    if (this.#status.state !== 'open') this.#unopened++
    this.#abandon()
    const { signal } = this.#attempt
    this.#code = code
    const mayRenew = code === UNAUTHORIZED && !this.#wasRefused
    this.#wasRefused ||= code === UNAUTHORIZED
    const goesOn = this.#ask(this.#settings.shouldReconnect, close) ?? (mayRenew || !isFinal(code))
    // The function may have closed it, or begun another attempt.
    if (signal.aborted) return
    if (goesOn) {
      this.#wait(code, this.#unopened >= MANY ? 'unreachable-or-refused' : cause)
      if (!mayRenew && !isOrdinary(code)) this.#log(`no connection: ${code} ${reason || cause}; trying again`)
    } else {
      this.#end(code, reason)
      this.#log(`closed for good: ${code} ${reason}`)
    }
  }

  #wait(code: number, cause: WaitingReason): void {
    const { min, first, max } = this.#settings
    const [reason, from, to]: [WaitingReason, number, number] =
      environment.navigator?.onLine === false
        ? ['offline', max, max]
        : isBusy(code)
          ? ['busy', max / 2, max]
          : [cause, min, Math.min(max, first * 2 ** this.#failures)]
    const delay = from + Math.random() * (to - from)
    this.#failures++
    this.#timer = setTimeout(() => {
      this.#connect()
    }, delay)
    this.#become({ state: 'waiting', code, attempt: this.#failures + 1, reason, delay })
  }

  /** Releases the attempt and the socket at once, without waiting for them. */
  #abandon(code?: number, reason?: string): void {
    const socket = this.#socket
    this.#attempt.abort()
    this.#attempt = new AbortController()
    clearTimeout(this.#timer)
    this.#watchdog?.stop()
    this.#watchdog = this.#socket = undefined
    if (socket === undefined) return
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close(code, reason)
  }

  #end(code: number, reason: string): void {
    this.#abandon(code, reason)
    this.#listen('removeEventListener')
    this.#become({ state: 'closed', code, reason, dropped: this.#queue.splice(0).length })
  }

  readonly #onWakeUp = ({ type }: { readonly type: string }): void => {
    const status = this.#status
    if (type === 'pagehide') {
      // An open connection keeps a page out of the browser's cache, or is closed when the page enters it.
      this.#abandon(1000)
      this.#become({ state: 'waiting', reason: 'hidden', delay: Infinity, attempt: 1, code: 1000 })
    } else if (status.state === 'open') this.#watchdog?.probe()
    else if (status.state === 'waiting' && this.#isAwake(type, status.reason)) {
      this.#failures = 0
      this.#connect()
    }
  }

  /** Whether an event ends the wait. */
  #isAwake(type: string, reason: WaitingReason): boolean {
    if (reason === 'hidden') return type === 'pageshow'
    if (reason === 'busy' || type === 'offline') return false
    if (type === 'online') return true
    // Showing a page repeatedly must not cause an attempt each time.
    return (
      environment.document?.visibilityState !== 'hidden' && Date.now() - this.#triedAt >= this.#settings.first
    )
  }

  #become(status: Status): void {
    this.#status = status
    this.#dispatch('state', status)
  }

  #dispatch<Type extends keyof ReconnectingEvents>(
    type: Type,
    values: Omit<ReconnectingEvents[Type], keyof Event>,
  ): void {
    this.dispatchEvent(Object.assign(new Event(type), values))
  }

  /** Calls a function of the options, which must not break the connection by throwing. */
  #ask<Argument, Answer>(
    question: ((argument: Argument) => Answer) | null | undefined,
    argument: Argument,
  ): Answer | undefined {
    try {
      return question?.(argument)
    } catch (error) {
      this.#report(error)
      return undefined
    }
  }

  #report(error: unknown): void {
    this.#dispatch('error', { error })
  }

  #log(text: string): void {
    if (this.#wasLogged) return
    this.#wasLogged = true
    this.#ask(this.#settings.log, `hubwire: ${text}`)
  }
}
