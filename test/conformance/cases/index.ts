import type { Section } from '../vocabulary.js'
import { framing } from './section-1.js'
import { pingsAndPongs } from './section-2.js'
import { reservedBits } from './section-3.js'
import { opcodes } from './section-4.js'
import { fragmentation } from './section-5.js'
import { utf8 } from './section-6.js'
import { closing } from './section-7.js'
import { limits } from './section-9.js'
import { automaticFragmentation } from './section-10.js'
import { compressedContents } from './section-12.js'
import { compressionParameters } from './section-13.js'

/** The published list; sections 8 and 11 have no cases in it. */
export const sections: readonly Section[] = [
  framing,
  pingsAndPongs,
  reservedBits,
  opcodes,
  fragmentation,
  utf8,
  closing,
  limits,
  automaticFragmentation,
  compressedContents,
  compressionParameters,
]
