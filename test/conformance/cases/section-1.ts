import { answered, binary, binaryMessage, filled, inPiecesOf, text, textMessage } from '../vocabulary.js'
import type { ConformanceCase, Section } from '../vocabulary.js'

// Around each length at which the header changes its form (RFC 6455 section 5.2).
const lengths = [0, 125, 126, 127, 128, 65_535, 65_536]

const kinds = [
  { name: 'text', send: text, message: textMessage, pattern: '*' },
  { name: 'binary', send: binary, message: binaryMessage, pattern: Buffer.of(0xfe) },
] as const

const cases = kinds.flatMap(({ name, send, message, pattern }, kind): ConformanceCase[] => [
  ...lengths.map((length, index) => ({
    id: `1.${kind + 1}.${index + 1}`,
    about: `${name} of ${length} bytes`,
    steps: [send(filled(pattern, length))],
    expect: answered(message(filled(pattern, length))),
  })),
  {
    id: `1.${kind + 1}.8`,
    about: `${name} of 65536 bytes in pieces of 997`,
    steps: [inPiecesOf(997, send(filled(pattern, 65_536)))],
    expect: answered(message(filled(pattern, 65_536))),
  },
])

export const framing: Section = { title: '1 Framing', cases }
