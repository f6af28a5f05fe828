import { failure, frame, bytewise, ping, text, textMessage } from '../vocabulary.js'
import type { ConformanceCase, Section } from '../vocabulary.js'

const hello = 'fair wind'
const afterText = failure(1002, textMessage(hello))

/** The five reserved opcodes from `first`: alone without and with payload, then between a text and a ping. */
function reserved(group: number, first: number, kind: string): ConformanceCase[] {
  return [
    {
      id: `4.${group}.1`,
      about: `${kind} opcode ${first}, empty`,
      steps: [frame(first)],
      expect: failure(1002),
    },
    {
      id: `4.${group}.2`,
      about: `${kind} opcode ${first + 1} with payload`,
      steps: [frame(first + 1, 'of no known kind')],
      expect: failure(1002),
    },
    {
      id: `4.${group}.3`,
      about: `text, ${kind} opcode ${first + 2}, ping`,
      steps: [text(hello), frame(first + 2), ping()],
      expect: afterText,
    },
    {
      id: `4.${group}.4`,
      about: `text, ${kind} opcode ${first + 3} with payload, ping`,
      steps: [text(hello), frame(first + 3, hello), ping()],
      expect: afterText,
    },
    {
      id: `4.${group}.5`,
      about: `text, ${kind} opcode ${first + 4} with payload, ping, byte by byte`,
      steps: [bytewise(text(hello), frame(first + 4, hello), ping())],
      expect: afterText,
    },
  ]
}

export const opcodes: Section = {
  title: '4 Opcodes',
  cases: [...reserved(1, 3, 'reserved data'), ...reserved(2, 11, 'reserved control')],
}
