import type { IncomingMessage } from 'node:http'
import { describe } from '../../options/describe.js'
import { BlockList, isIP, isIPv6, SocketAddress } from 'node:net'

/**
 * The proxies whose `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Proto` are trusted: the number of proxies in
 * front of the server, or their addresses and networks (`'10.0.0.0/8'`). None by default. With a list, a peer without
 * an address is trusted only if the server itself listens on a unix socket; with `noServer` it is not: use the number.
 */
export type TrustProxy = number | readonly string[]

/** What is known about the client that sent a request. */
export interface Client {
  /** Its address according to trusted proxies. Without them it is read from the socket when it is needed. */
  readonly forwardedAddress: string | undefined
  /** The host that it requested. */
  readonly host: string | undefined
  /** Whether it used TLS. */
  readonly isSecure: boolean
}

/** Reads the headers of trusted proxies. */
export class TrustedProxies {
  readonly #hops: number
  readonly #addresses: BlockList | undefined
  readonly #isUnixSocket: () => boolean

  /**
   * @param isUnixSocket - whether the server listens on a unix socket, where peers have no address
   * @throws TypeError if an address is not valid
   */
  constructor(trust: TrustProxy = 0, isUnixSocket: () => boolean = () => false) {
    if (typeof trust === 'number' ? !(Number.isInteger(trust) && trust >= 0) : !Array.isArray(trust)) {
      throw new TypeError(
        `trustProxy must be the number of proxies in front of the server, or a list of their addresses; it is ` +
          `${describe(trust)}: write 1 for a single proxy, or ['10.0.0.0/8']`,
      )
    }
    this.#hops = typeof trust === 'number' ? trust : Infinity
    if (typeof trust !== 'number') this.#addresses = toBlockList(trust)
    this.#isUnixSocket = isUnixSocket
  }

  /** The client that sent a request. */
  client(request: IncomingMessage): Client {
    const { socket, headers } = request
    const own: Client = {
      forwardedAddress: undefined,
      host: headers.host,
      // A request that was not received from a client may have no socket.
      isSecure: Boolean((socket as { encrypted?: boolean } | undefined)?.encrypted),
    }
    if (this.#hops === 0) return own
    const address = normalAddress(socket.remoteAddress) ?? socket.remoteAddress
    if (!this.#trusts(address, 0)) return own
    return {
      forwardedAddress: this.#clientAddress(address, list(headers['x-forwarded-for'])),
      host: hostOf(list(headers['x-forwarded-host']).pop()) ?? own.host,
      isSecure: isSecure(list(headers['x-forwarded-proto']).pop()) ?? own.isSecure,
    }
  }

  /**
   * Searches from the right, where the proxies write, for the first address that is not a proxy's. Any client can forge
   * the elements to its left. Anything but an address ends the search at the last address before it.
   */
  #clientAddress(own: string | undefined, forwarded: string[]): string | undefined {
    let address = own
    for (let hop = 0; forwarded.length > 0 && this.#trusts(address, hop); hop++) {
      const next = normalAddress(forwarded.pop())
      if (next === undefined) break
      address = next
    }
    return address
  }

  #trusts(address: string | undefined, hop: number): boolean {
    if (this.#addresses === undefined) return hop < this.#hops
    // A TCP socket has no address either once its peer has reset the connection.
    if (address === undefined) return hop === 0 && this.#isUnixSocket()
    return isIP(address) !== 0 && this.#addresses.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  }
}

const MAPPED = '::ffff:'

/**
 * Normalizes an address: without a port, IPv6 in the form of RFC 5952, and an IPv4-mapped address as
 * IPv4. `undefined` for anything but an address.
 */
export function normalAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const bare = /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
  const family = isIP(bare)
  if (family !== 6) return family === 4 ? bare : undefined
  const { address } = new SocketAddress({ address: bare, family: 'ipv6' })
  return address.startsWith(MAPPED) && address.includes('.') ? address.slice(MAPPED.length) : address
}

/** A host with or without a port; `undefined` for anything else. */
function hostOf(text: string | undefined): string | undefined {
  return text !== undefined && /^[^\s/?#@\\]+$/.test(text) && URL.canParse(`http://${text}`)
    ? text
    : undefined
}

function isSecure(scheme: string | undefined): boolean | undefined {
  switch (scheme?.toLowerCase()) {
    case 'https':
    case 'wss':
      return true
    case 'http':
    case 'ws':
      return false
    default:
      return undefined
  }
}

function toBlockList(addresses: readonly string[]): BlockList {
  const blockList = new BlockList()
  for (const entry of addresses) {
    try {
      const [address = '', prefix] = entry.split('/')
      const family = isIPv6(address) ? 'ipv6' : 'ipv4'
      if (prefix === undefined) blockList.addAddress(address, family)
      else blockList.addSubnet(address, prefix === '' ? NaN : Number(prefix), family)
    } catch (cause) {
      const message = `trustProxy must list addresses and networks such as '10.0.0.0/8'; ${JSON.stringify(entry)} is neither`
      throw new TypeError(message, { cause })
    }
  }
  return blockList
}

/** The elements of a list, without empty ones (RFC 9110 section 5.6.1). */
function list(header: string | string[] | undefined): string[] {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '')
  return text
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '')
}
