import type { DeflateRequest } from '../negotiation.js'
import type { Section } from '../vocabulary.js'
import { compressionCases } from './compression.js'

/** What the harness asks of the peer, in a client's offers or as a server's answer; several in order of preference. */
const negotiations: readonly (readonly DeflateRequest[])[] = [
  [{}],
  [{ noContextTakeover: true }],
  [{ maxWindowBits: 9 }],
  [{ maxWindowBits: 15 }],
  [{ noContextTakeover: true, maxWindowBits: 9 }],
  [{ noContextTakeover: true, maxWindowBits: 15 }],
  [{ noContextTakeover: true, maxWindowBits: 9 }, { noContextTakeover: true }, {}],
]

function describe({ noContextTakeover, maxWindowBits }: DeflateRequest): string {
  const context = noContextTakeover === true ? 'no context takeover' : 'default'
  return maxWindowBits === undefined ? context : `${context}, window of ${maxWindowBits} bits`
}

export const compressionParameters: Section = {
  title: '13 Compression, parameters',
  cases: negotiations.flatMap((requests, index) =>
    compressionCases(`13.${index + 1}`, requests.map(describe).join(' or '), 'json', requests),
  ),
}
