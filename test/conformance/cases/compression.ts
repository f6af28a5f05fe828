import { messagesFrom, type ContentName } from '../corpus.js'
import type { DeflateRequest } from '../negotiation.js'
import { answered, roundTrips } from '../vocabulary.js'
import type { ConformanceCase } from '../vocabulary.js'

/** Characters (bytes of binary) in a message, and bytes in a fragment of it when compressed; 0 is one frame. */
const shapes: readonly (readonly [length: number, fragmentSize: number])[] = [
  ...[16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072].map((length) => [length, 0] as const),
  ...[8192, 16_384, 32_768, 65_536, 131_072].map((length) => [length, 256] as const),
  ...[1024, 4096, 32_768].map((fragmentSize) => [131_072, fragmentSize] as const),
]

/** Messages a case where the run is not full: enough for a context to be carried over, and quick. */
export const SHORT_RUN = { small: 100, large: 5 } as const
const FULL_RUN = 1000

function countFor(length: number): number {
  if (process.env.CONFORMANCE_FULL === '1') return FULL_RUN
  return length > 8192 ? SHORT_RUN.large : SHORT_RUN.small
}

/** The eighteen cases of one group: every shape of message, with one content and one negotiation. */
export function compressionCases(
  group: string,
  about: string,
  content: ContentName,
  deflate: readonly DeflateRequest[],
): ConformanceCase[] {
  return shapes.map(([length, fragmentSize], index) => {
    const isBinary = content !== 'json' && content !== 'html'
    const fragments = fragmentSize > 0 ? ` in fragments of ${fragmentSize}` : ''
    return {
      id: `${group}.${index + 1}`,
      about: `${about}, ${length} each${fragments}`,
      steps: [roundTrips(messagesFrom(content, isBinary, length, countFor(length)), fragmentSize)],
      expect: answered(),
      deflate,
    }
  })
}
