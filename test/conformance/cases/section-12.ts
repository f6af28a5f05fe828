import type { ContentName } from '../corpus.js'
import type { Section } from '../vocabulary.js'
import { compressionCases } from './compression.js'

// In the order of the published list, which has content of these five kinds.
const order: readonly ContentName[] = ['json', 'bitmap', 'prose', 'html', 'document']

export const compressedContents: Section = {
  title: '12 Compression, contents',
  cases: order.flatMap((content, index) => compressionCases(`12.${index + 1}`, content, content, [{}])),
}
