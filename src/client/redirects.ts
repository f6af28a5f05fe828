import type { ClientRequest, OutgoingHttpHeaders } from 'node:http'
import type { OpeningRules } from '../connection/preset.js'
import { type Address, parseAddress } from './address.js'
import type { ConnectErrorCode } from './connect-error.js'
import { DEFAULT_MAX_REDIRECTS, type OpeningOptions } from './opening-options.js'
import {
  hasCredentials,
  isSameOrigin,
  makeRequest,
  optionsForOtherOrigin,
  userinfoOf,
} from './opening-request.js'

const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** Why a redirect is not followed. */
export class NotFollowed extends Error {
  readonly code: ConnectErrorCode

  constructor(code: ConnectErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Follows the redirects of one opening handshake, and makes its requests. */
export class Redirects {
  /** The number of redirects so far. */
  count = 0
  readonly #options: OpeningOptions
  readonly #rules: OpeningRules['redirects']
  readonly #first: Address
  #address: Address
  /** Whether no redirect has led to another origin, for which headers and credentials were not given. */
  #isTrusted = true
  /** The user and password of the first URL that had them. */
  #userinfo: string | undefined

  constructor(address: Address, options: OpeningOptions, rules: OpeningRules['redirects']) {
    this.#first = address
    this.#address = address
    this.#options = options
    this.#rules = rules
  }

  /** The URL of the next request. */
  get url(): URL {
    return this.#address.url
  }

  /** Whether a response is a redirect that must be followed. */
  isFollowed(status: number, location: string | undefined): location is string {
    const isRedirect = this.#rules === 'strict' ? REDIRECTS.has(status) : status >= 300 && status < 400
    return isRedirect && location !== undefined && this.#options.followRedirects === true
  }

  /**
   * Follows a redirect: the next request goes to its location.
   *
   * @throws NotFollowed if it must not be followed
   * @throws SyntaxError if the URL is not valid
   */
  follow(location: string): void {
    this.#countOne()
    const next = parseAddress(location, this.#address.url)
    if (
      next.socketPath !== undefined &&
      !(this.#rules === 'as-curl' && this.#address.socketPath !== undefined)
    )
      throw refusedRedirect(`Refused a redirect to a unix socket (${next.url.href})`)
    if (this.#rules === 'strict') this.#checkStrictly(next)
    this.#address = next
  }

  /**
   * Makes the request.
   *
   * @param isWatched - whether the application listens for redirects
   * @throws TypeError for a header or an option that `http.request` does not take
   */
  makeRequest(handshake: OutgoingHttpHeaders, isWatched: boolean): ClientRequest {
    // The first credentials are kept, even if a redirect contains others.
    this.#userinfo ??= userinfoOf(this.#address.url)
    const address = this.#address
    if (this.#rules === 'strict') {
      return this.#isTrusted
        ? makeRequest(address, this.#options, handshake, this.#userinfo)
        : makeRequest(address, optionsForOtherOrigin(this.#options), handshake)
    }
    const isElsewhere = !isSameHost(address, this.#first)
    const isSafe = !isElsewhere && (address.isSecure || !this.#first.isSecure)
    if (isSafe || isWatched) return makeRequest(address, this.#options, handshake, this.#userinfo)
    const names = ['authorization', 'cookie', ...(isElsewhere ? ['host'] : [])]
    return makeRequest(address, withoutHeaders(this.#options, names), handshake)
  }

  /** @throws NotFollowed when there were too many */
  #countOne(): void {
    const { maxRedirects = DEFAULT_MAX_REDIRECTS } = this.#options
    if (++this.count <= maxRedirects) return
    throw new NotFollowed(
      'WS_ERR_TOO_MANY_REDIRECTS',
      `Maximum redirects exceeded: maxRedirects is ${maxRedirects}`,
    )
  }

  /** @throws NotFollowed if a redirect leaves TLS, or if an agent would send its client certificate to another origin */
  #checkStrictly({ url, isSecure }: Address): void {
    if (this.#address.isSecure && !isSecure) {
      throw refusedRedirect(`Refused a redirect from wss: to ${url.protocol} (${url.href})`)
    }
    if (!isSameOrigin(url, this.#address.url)) this.#isTrusted = false
    if (!this.#isTrusted && hasCredentials(this.#options.agent)) {
      throw refusedRedirect(
        `Refused a redirect to another origin: the agent has a client certificate (${url.href})`,
      )
    }
  }
}

function refusedRedirect(message: string): NotFollowed {
  return new NotFollowed('WS_ERR_REDIRECT_REFUSED', message)
}

function isSameHost(one: Address, other: Address): boolean {
  return (
    one.socketPath === other.socketPath && (one.socketPath !== undefined || one.url.host === other.url.host)
  )
}

/** The options without `auth` and without these headers. */
function withoutHeaders(
  { auth: _auth, headers = {}, ...options }: OpeningOptions,
  names: string[],
): OpeningOptions {
  const kept = Object.entries(headers).filter(([name]) => !names.includes(name.toLowerCase()))
  return { ...options, headers: Object.fromEntries(kept) }
}
