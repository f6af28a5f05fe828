import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Preset, presetOf } from '../../connection/preset.js'
import { DEFAULT_HANDSHAKE_TIMEOUT } from '../../connection/settings.js'
import { checkMilliseconds, checkNumber } from '../../options/checks.js'
import { AnswerWarnings } from './answers.js'
import { type Authenticate, type GONE, readUser, runCheck } from './authentication.js'
import { isAllowedOrigin, type Origins, readOrigins } from './origins.js'
import { Refusal, refusalFor, RETRY_AFTER } from './refusal.js'
import { type Client, normalAddress, TrustedProxies, type TrustProxy } from './trusted-proxies.js'
import { verify, verifyAtOnce, type VerifyClient } from './verify-client.js'

/** Decides which clients may connect. */
export interface AdmissionOptions<User> {
  /** The origins that may connect; the server's own by default. */
  origins?: Origins
  /** The proxies that are trusted to tell the client's address, host and scheme; none by default. */
  trustProxy?: TrustProxy
  /** The check of `ws`; `authenticate` can do more. Only the result `true` accepts the client. */
  verifyClient?: VerifyClient
  /**
   * Identifies the client: the user that it returns becomes `socket.user`. `anonymous` accepts the client without a user.
   * A refusal that it returns or throws is sent. `false`, `null` and `undefined` cause a 401.
   */
  authenticate?: Authenticate<User>
  /** Milliseconds for the handshake, including `authenticate`; 10,000 by default, 0 or `Infinity` for no limit. */
  handshakeTimeout?: number
  /** The most connections at a time; no limit by default. Further ones get a 503. */
  maxConnections?: number
  /** The most connections at a time from one address; no limit by default. Further ones get a 429. */
  maxConnectionsPerAddress?: number
}

/** A client that may connect. */
export interface Admitted<User> {
  readonly user: User
  readonly forwardedAddress: string | undefined
}

/** Decides on requests; the cheapest checks come first. */
export class Admission<User> {
  readonly #options: AdmissionOptions<User>
  readonly #origins: Origins
  readonly #proxies: TrustedProxies
  readonly #timeout: number
  readonly #preset: Preset
  readonly #warnings = new AnswerWarnings()
  readonly #perAddress = new Map<string, number>()
  readonly #pending = new Set<Duplex>()
  #connections = 0

  /**
   * @param isUnixSocket - whether the server listens on a unix socket
   * @throws RangeError if a number is out of range
   */
  constructor(options: AdmissionOptions<User>, isUnixSocket?: () => boolean) {
    const { handshakeTimeout = DEFAULT_HANDSHAKE_TIMEOUT, origins = 'same-origin' } = options
    checkMilliseconds('handshakeTimeout', handshakeTimeout)
    if (options.maxConnections !== undefined) checkNumber('maxConnections', options.maxConnections, 1)
    if (options.maxConnectionsPerAddress !== undefined) {
      checkNumber('maxConnectionsPerAddress', options.maxConnectionsPerAddress, 1)
    }
    this.#options = options
    this.#preset = presetOf(options)
    this.#origins = this.#preset.checksOptions ? readOrigins(origins) : origins
    this.#proxies = new TrustedProxies(options.trustProxy, isUnixSocket)
    this.#timeout = handshakeTimeout
  }

  /**
   * Decides on a request: at once, unless a check is asynchronous.
   *
   * @throws what a check threw (or the promise rejects with it)
   */
  admit(
    request: IncomingMessage,
    socket: Duplex,
  ): Admitted<User> | Refusal | Promise<Admitted<User> | Refusal | typeof GONE> {
    const client = this.#proxies.client(request)
    if (this.#isLimited) {
      const { remoteAddress } = request.socket
      const address = client.forwardedAddress ?? normalAddress(remoteAddress) ?? remoteAddress
      const full = this.#limit(address)
      if (full !== undefined) return full
      this.#hold(address, socket)
    }

    const { verifyClient, authenticate } = this.#options
    const isAllowed = isAllowedOrigin(this.#origins, request, client.host)
    if (isAllowed === false) return crossOrigin(request)
    if (isAllowed === true && verifyClient === undefined && authenticate === undefined) {
      return { user: undefined as User, forwardedAddress: client.forwardedAddress }
    }
    if (
      this.#preset.accepting.takesTruthyAnswers &&
      verifyClient !== undefined &&
      authenticate === undefined
    ) {
      return this.#verify(verifyClient, request, client)
    }
    return this.#admitLater(request, client, isAllowed, socket)
  }

  async #admitLater(
    request: IncomingMessage,
    client: Client,
    isAllowed: boolean | Promise<boolean>,
    socket: Duplex,
  ): Promise<Admitted<User> | Refusal | typeof GONE> {
    this.#pending.add(socket)
    try {
      return await runCheck(
        (signal) => this.#check(request, client, isAllowed, signal),
        socket,
        this.#timeout,
      )
    } finally {
      this.#pending.delete(socket)
    }
  }

  /** Runs `verifyClient` as `ws` does. */
  #verify(
    verifyClient: VerifyClient,
    request: IncomingMessage,
    client: Client,
  ): Admitted<User> | Refusal | Promise<Admitted<User> | Refusal> {
    const admitted = { user: undefined as User, forwardedAddress: client.forwardedAddress }
    const refusal = verifyAtOnce(verifyClient, request, client.isSecure)
    return refusal instanceof Promise ? refusal.then((late) => late ?? admitted) : (refusal ?? admitted)
  }

  /** Counts a handshake that was refused as pending until its client has read the response, or its socket is closed. */
  refused(socket: Duplex): void {
    if (socket.destroyed) return
    this.#pending.add(socket)
    socket.once('close', () => {
      this.#pending.delete(socket)
    })
  }

  /** Ends the handshakes that are pending: checks that have not finished, and responses that are not read. */
  abandon(): void {
    for (const socket of this.#pending) socket.destroy()
  }

  async #check(
    request: IncomingMessage,
    client: Client,
    isAllowed: boolean | Promise<boolean>,
    signal: AbortSignal,
  ): Promise<Admitted<User> | Refusal> {
    const { verifyClient, authenticate } = this.#options
    const { forwardedAddress, isSecure: secure } = client
    const { takesTruthyAnswers } = this.#preset.accepting
    const context = { secure, takesTruthyAnswers, warnings: this.#warnings }
    // A function in JavaScript may return anything. Only `true` accepts.
    const verdict: unknown = typeof isAllowed === 'boolean' ? isAllowed : await isAllowed
    if (typeof verdict !== 'boolean') {
      this.#warnings.warn('origins', verdict, 'Return true to allow an origin, and false to refuse it.')
    }
    if (verdict !== true) return crossOrigin(request)
    const refusal = verifyClient && (await verify(verifyClient, request, context))
    if (refusal !== undefined) return refusal
    if (authenticate === undefined) return { user: undefined as User, forwardedAddress }
    const answer = readUser(await authenticate(request, { signal }), this.#warnings)
    return answer instanceof Refusal ? answer : { user: answer.user as User, forwardedAddress }
  }

  get #isLimited(): boolean {
    return this.#options.maxConnections !== undefined || this.#options.maxConnectionsPerAddress !== undefined
  }

  #limit(address: string | undefined): Refusal | undefined {
    const { maxConnections = Infinity, maxConnectionsPerAddress = Infinity } = this.#options
    const headers = { 'Retry-After': RETRY_AFTER }
    if (this.#connections >= maxConnections) {
      return refusalFor('maxConnections', 503, {
        headers,
        body: 'The server has reached its limit of connections\n',
      })
    }
    if (address !== undefined && (this.#perAddress.get(address) ?? 0) >= maxConnectionsPerAddress) {
      return refusalFor('maxConnectionsPerAddress', 429, {
        headers,
        body: 'There are too many connections from this address\n',
      })
    }
    return undefined
  }

  /** Counts a connection from its handshake on, so that slow handshakes count too, until its socket closes. */
  #hold(address: string | undefined, socket: Duplex): void {
    this.#count(address, 1)
    socket.once('close', () => {
      this.#count(address, -1)
    })
  }

  #count(address: string | undefined, change: 1 | -1): void {
    this.#connections += change
    if (address === undefined) return
    const count = (this.#perAddress.get(address) ?? 0) + change
    if (count === 0) this.#perAddress.delete(address)
    else this.#perAddress.set(address, count)
  }
}

function crossOrigin(request: IncomingMessage): Refusal {
  return refusalFor('origin', 403, {
    body:
      `The origin ${JSON.stringify(request.headers.origin)} may not connect to ${JSON.stringify(request.headers.host)}. ` +
      "To allow it, the server needs the option origins: ['https://its.example'], or '*' for all\n",
  })
}
