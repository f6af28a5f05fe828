import type { IncomingMessage } from 'node:http'
import { BlockList, isIPv6 } from 'node:net'

/**
 * Whom to believe about the client's address: the number of proxies in front of us, or their addresses and networks
 * (`'10.0.0.0/8'`). Nobody by default.
 */
export type TrustProxy = number | readonly string[]

/** What is known of the client that a request comes from. */
export interface Client {
  /** Its address as trusted proxies told it; without them the socket knows it, and is not asked until it is needed. */
  readonly forwardedAddress: string | undefined
  /** The host that it asked for. */
  readonly host: string | undefined
  /** Whether it came over TLS. */
  readonly isSecure: boolean
}

/** Reads the headers that proxies add, as far as they are to be believed. */
export class TrustedProxies {
  readonly #hops: number
  readonly #addresses: BlockList | undefined

  /** @throws TypeError when an address is not valid */
  constructor(trust: TrustProxy = 0) {
    this.#hops = typeof trust === 'number' ? trust : Infinity
    if (typeof trust !== 'number') this.#addresses = toBlockList(trust)
  }

  /** The client behind a request. */
  client(request: IncomingMessage): Client {
    const { socket } = request
    const direct: Client = {
      forwardedAddress: undefined,
      host: request.headers.host,
      isSecure: 'encrypted' in socket,
    }
    if (this.#hops === 0 || !this.#trusts(socket.remoteAddress, 0)) return direct
    return {
      forwardedAddress: this.#clientAddress(socket.remoteAddress, list(request.headers['x-forwarded-for'])),
      host: last(request.headers['x-forwarded-host']) ?? direct.host,
      isSecure:
        (last(request.headers['x-forwarded-proto']) ?? (direct.isSecure ? 'https' : 'http')) === 'https',
    }
  }

  /** Counts from the right, where the proxies write, up to the first address that is not a proxy's: what is left of it anyone can have sent. */
  #clientAddress(direct: string | undefined, forwarded: string[]): string | undefined {
    let address = direct
    for (let hop = 0; forwarded.length > 0 && this.#trusts(address, hop); hop++) address = forwarded.pop()
    return address
  }

  #trusts(address: string | undefined, hop: number): boolean {
    if (this.#addresses === undefined) return hop < this.#hops
    // Over a unix socket there is no address, and nobody else.
    if (address === undefined) return hop === 0
    const bare = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
    return this.#addresses.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4')
  }
}

function toBlockList(addresses: readonly string[]): BlockList {
  const blockList = new BlockList()
  for (const entry of addresses) {
    const [address = '', prefix] = entry.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    try {
      if (prefix === undefined) blockList.addAddress(address, family)
      else blockList.addSubnet(address, prefix === '' ? NaN : Number(prefix), family)
    } catch (cause) {
      const message = `trustProxy takes addresses and networks such as '10.0.0.0/8'; ${JSON.stringify(entry)} is neither`
      throw new TypeError(message, { cause })
    }
  }
  return blockList
}

function list(header: string | string[] | undefined): string[] {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '')
  return text === '' ? [] : text.split(',').map((element) => element.trim())
}

function last(header: string | string[] | undefined): string | undefined {
  return list(header).pop()
}
