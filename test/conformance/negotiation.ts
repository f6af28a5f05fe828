/**
 * What one end requests from the other end's compressor (RFC 7692 section 7.1): a client by `server_...` parameters in an
 * offer, a server by `client_...` parameters in its response.
 */
export interface DeflateRequest {
  readonly noContextTakeover?: boolean
  readonly maxWindowBits?: number
}

/** The negotiated parameters as seen by the harness: those of our compressor and of the peer's. */
export interface DeflateAgreement {
  readonly ours: Required<DeflateRequest>
  readonly peers: Required<DeflateRequest>
}

type Parameters = ReadonlyMap<string, string | true>

const name = 'permessage-deflate'

function parse(header: string): Parameters[] {
  return header
    .split(',')
    .map((element) => element.split(';').map((part) => part.trim()))
    .filter(([extension]) => extension === name)
    .map(([, ...parameters]) => {
      const pairs = parameters.map((parameter): [string, string | true] => {
        const [key = '', value] = parameter.split('=')
        return [key, value?.replaceAll('"', '') ?? true]
      })
      return new Map(pairs)
    })
}

function format(side: 'server' | 'client', request: DeflateRequest): string {
  return (
    (request.noContextTakeover === true ? `; ${side}_no_context_takeover` : '') +
    (request.maxWindowBits === undefined ? '' : `; ${side}_max_window_bits=${request.maxWindowBits}`)
  )
}

function agreedFor(side: 'server' | 'client', parameters: Parameters): Required<DeflateRequest> {
  return {
    noContextTakeover: parameters.has(`${side}_no_context_takeover`),
    maxWindowBits: Number(parameters.get(`${side}_max_window_bits`) ?? 15),
  }
}

function meets(request: DeflateRequest, agreed: Required<DeflateRequest>): boolean {
  return (
    (request.noContextTakeover !== true || agreed.noContextTakeover) &&
    agreed.maxWindowBits <= (request.maxWindowBits ?? 15)
  )
}

/** The offers of a client that lets the server limit it in every way. */
export function offersFor(requests: readonly DeflateRequest[]): string {
  return requests
    .map(
      (request) => `${name}; client_no_context_takeover; client_max_window_bits${format('server', request)}`,
    )
    .join(', ')
}

/** Reads the server's response. Throws if it meets none of what was offered; undefined if it declined. */
export function agreementFrom(
  requests: readonly DeflateRequest[],
  header: string | undefined,
): DeflateAgreement | undefined {
  if (header === undefined) return undefined
  const [response, ...others] = parse(header)
  if (response === undefined || others.length > 0)
    throw new Error(`an extension that was not offered: ${header}`)
  const peers = agreedFor('server', response)
  if (!requests.some((request) => meets(request, peers)))
    throw new Error(`meets none of the offers: ${header}`)
  return { ours: agreedFor('client', response), peers }
}

/** Chooses among a client's offers in the server's role. Undefined if no offer allows any of the requests. */
export function respondTo(
  requests: readonly DeflateRequest[],
  header: string | undefined,
): { response: string; agreement: DeflateAgreement } | undefined {
  const offers = parse(header ?? '')
  for (const request of requests) {
    // A server may limit the client's window only where the client said that it understands (section 7.1.2.2).
    const offer = offers.find(
      (parameters) => request.maxWindowBits === undefined || parameters.has('client_max_window_bits'),
    )
    if (offer === undefined) continue
    const ours = agreedFor('server', offer)
    const response =
      name +
      format('server', {
        noContextTakeover: ours.noContextTakeover,
        ...(offer.has('server_max_window_bits') && { maxWindowBits: ours.maxWindowBits }),
      }) +
      format('client', request)
    const peers = {
      noContextTakeover: request.noContextTakeover === true,
      maxWindowBits: request.maxWindowBits ?? 15,
    }
    return { response, agreement: { ours, peers } }
  }
  return undefined
}
