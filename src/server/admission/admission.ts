import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { checkNumber } from '../../options/checks.js'
import { type Authenticate, type GONE, runCheck } from './authentication.js'
import { isAllowedOrigin, type Origins } from './origins.js'
import { Refusal, refusalFor } from './refusal.js'
import { type Client, TrustedProxies, type TrustProxy } from './trusted-proxies.js'
import { verify, type VerifyClient } from './verify-client.js'

/** Who may connect. */
export interface AdmissionOptions<User> {
  /** Which origins may connect; the server's own by default. */
  origins?: Origins
  /** How many proxies, or which, are believed about the client's address, host and scheme; none by default. */
  trustProxy?: TrustProxy
  /** What `ws` has for it; `authenticate` does more. */
  verifyClient?: VerifyClient
  /** Tells who is connecting: what it returns is `socket.user`; a refusal, returned or thrown, is answered. */
  authenticate?: Authenticate<User>
  /** Milliseconds that the handshake may take, `authenticate` included; 10,000 by default. */
  handshakeTimeout?: number
  /** Connections at a time; no limit by default. More are answered 503. */
  maxConnections?: number
  /** Connections at a time from one address; no limit by default. More are answered 429. */
  maxConnectionsPerAddress?: number
}

/** A client that may connect. */
export interface Admitted<User> {
  readonly user: User
  readonly forwardedAddress: string | undefined
}

export const DEFAULT_HANDSHAKE_TIMEOUT = 10_000

/** What a client that met a limit is told to wait, in seconds. */
const RETRY_AFTER = '5'

/** Decides on requests, cheapest checks first. */
export class Admission<User> {
  readonly #options: AdmissionOptions<User>
  readonly #origins: Origins
  readonly #proxies: TrustedProxies
  readonly #timeout: number
  readonly #perAddress = new Map<string, number>()
  readonly #pending = new Set<Duplex>()
  #connections = 0

  /** @throws RangeError when a number is out of its range */
  constructor(options: AdmissionOptions<User>) {
    const { handshakeTimeout = DEFAULT_HANDSHAKE_TIMEOUT, origins = 'same-origin' } = options
    checkNumber('handshakeTimeout', handshakeTimeout, 1)
    if (options.maxConnections !== undefined) checkNumber('maxConnections', options.maxConnections, 1)
    if (options.maxConnectionsPerAddress !== undefined) {
      checkNumber('maxConnectionsPerAddress', options.maxConnectionsPerAddress, 1)
    }
    this.#options = options
    this.#origins = origins
    this.#proxies = new TrustedProxies(options.trustProxy)
    this.#timeout = handshakeTimeout
  }

  /**
   * Decides on a request, at once where no check takes its time.
   *
   * @throws what a check threw (or the promise rejects with it)
   */
  admit(
    request: IncomingMessage,
    socket: Duplex,
  ): Admitted<User> | Refusal | Promise<Admitted<User> | Refusal | typeof GONE> {
    const client = this.#proxies.client(request)
    if (this.#isLimited) {
      const address = client.forwardedAddress ?? request.socket.remoteAddress
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
    this.#pending.add(socket)
    return runCheck(
      (signal) => this.#check(request, client, isAllowed, signal),
      socket,
      this.#timeout,
    ).finally(() => {
      this.#pending.delete(socket)
    })
  }

  /** Gives up the handshakes on which a check is at work. */
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
    if (!(await isAllowed)) return crossOrigin(request)
    const refusal = verifyClient && (await verify(verifyClient, request, client.isSecure))
    if (refusal !== undefined) return refusal
    const user = await authenticate?.(request, { signal })
    return user instanceof Refusal ? user : { user: user as User, forwardedAddress: client.forwardedAddress }
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
        body: 'The server has all the connections that it takes\n',
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

  /** Counts a connection from its handshake on, so that slow handshakes count too. */
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
      "The server's option to allow it: origins: ['https://its.example'], or '*' for all\n",
  })
}
