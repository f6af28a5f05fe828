import type { Agent, ClientRequest, OutgoingHttpHeaders, RequestOptions } from 'node:http'
import { http, https } from '../options/builtin-modules.js'
import { decodePercents } from '../options/percent-encoding.js'
import { VERSION } from '../protocol/handshake.js'
import type { Address } from './address.js'
import type { OpeningOptions } from './opening-options.js'

/**
 * Options that identify the user in TLS, or that apply to the first server only. They are not used for another origin.
 */
const OPTIONS_OF_ORIGIN = [
  'auth',
  'cert',
  'clientCertEngine',
  'key',
  'passphrase',
  'pfx',
  'privateKeyEngine',
  'privateKeyIdentifier',
  'pskCallback',
  'secureContext',
  'servername',
  'session',
] as const

/** What belongs to the handshake rather than to the request, or follows from the URL. */
const OWN_OPTIONS = [
  'followRedirects',
  'handshakeTimeout',
  'headers',
  'hostname',
  'maxRedirects',
  'origin',
  'protocol',
  'signal',
] as const

/** Whether two URLs have the same scheme, host and port. */
export function isSameOrigin(one: URL, other: URL): boolean {
  return one.protocol === other.protocol && one.host === other.host
}

/** The user and password of a URL, as `http.request` takes them. */
export function userinfoOf({ username, password }: URL): string | undefined {
  return username === '' && password === ''
    ? undefined
    : `${decodePercents(username)}:${decodePercents(password)}`
}

/** Whether an agent adds a client certificate, which a single request cannot leave out. */
export function hasCredentials(agent: RequestOptions['agent']): boolean {
  if (typeof agent !== 'object') return false
  const { options = {} } = agent as Agent & { options?: Readonly<Record<string, unknown>> }
  return ['cert', 'key', 'pfx', 'secureContext'].some((name) => options[name] !== undefined)
}

/** The options that may be used at another origin: without headers and credentials. */
export function optionsForOtherOrigin(options: OpeningOptions): OpeningOptions {
  return without(options, ['headers', ...OPTIONS_OF_ORIGIN])
}

/**
 * Makes the request of an opening handshake (RFC 6455 section 4.1).
 *
 * @throws TypeError for a header or an option that `http.request` does not take
 */
export function makeRequest(
  address: Address,
  options: OpeningOptions,
  handshake: OutgoingHttpHeaders,
  userinfo?: string,
): ClientRequest {
  const { url, isSecure, path, socketPath } = address
  const passedOn: RequestOptions = without(options, OWN_OPTIONS)
  const defaultPort = isSecure ? 443 : 80
  const request: RequestOptions = {
    ...passedOn,
    method: 'GET',
    // Without an agent, because the connection is never reused. With one, `createConnection` would not be called.
    agent: passedOn.agent ?? (passedOn.createConnection === undefined ? false : undefined),
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || defaultPort,
    // The Host header then leaves it out, as it does with an agent.
    defaultPort,
    path,
    headers: {
      ...definedOnly(options.headers),
      ...handshake,
      ...fixedHeaders(options, handshake),
    },
    ...(socketPath === undefined ? undefined : { socketPath, host: 'localhost' }),
  }
  if (userinfo !== undefined) request.auth = userinfo
  return isSecure ? https().request(request) : http().request(request)
}

function fixedHeaders({ origin }: OpeningOptions, handshake: OutgoingHttpHeaders): OutgoingHttpHeaders {
  // Drafts of RFC 6455 had a header of their own.
  const name = handshake['Sec-WebSocket-Version'] === VERSION ? 'Origin' : 'Sec-WebSocket-Origin'
  return {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    ...(origin === undefined ? undefined : { [name]: origin }),
  }
}

function definedOnly(headers: OutgoingHttpHeaders = {}): OutgoingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([, value]) => value !== undefined && value !== null),
  )
}

function without<Options extends object>(options: Options, names: readonly string[]): Options {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name))) as Options
}
