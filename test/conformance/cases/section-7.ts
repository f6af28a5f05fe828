import { answered, close, closed, continuation, filled, hex, ping, refused, text } from '../vocabulary.js'
import { textMessage } from '../vocabulary.js'
import type { ConformanceCase, Expectation, Section } from '../vocabulary.js'
import { frame } from '../vocabulary.js'
import { opcode } from '../../support/raw-frame.js'

const hello = 'fair wind'

/** The RFC leaves the behaviour open. The result is recorded. */
function informational(...codes: number[]): Expectation {
  return { ...refused(...codes), informational: true }
}

const basic: readonly ConformanceCase[] = [
  {
    id: '7.1.1',
    about: 'text, and close after its echo',
    steps: [text(hello)],
    expect: { ...answered(textMessage(hello)), fatal: 'WRONG CODE' },
  },
  { id: '7.1.2', about: 'two Close frames', steps: [close(1000), close()], expect: closed(1000) },
  { id: '7.1.3', about: 'ping after Close', steps: [close(1000), ping()], expect: closed(1000) },
  { id: '7.1.4', about: 'text after Close', steps: [close(1000), text(hello)], expect: closed(1000) },
  {
    id: '7.1.5',
    about: 'Close between two fragments',
    steps: [text('first ', { fin: false }), close(1000), continuation('second')],
    expect: closed(1000),
  },
  {
    id: '7.1.6',
    about: 'text of 256 KiB, text, Close and ping at once',
    steps: [text(filled('a long message ', 262_144)), text(hello), close(1000), ping()],
    expect: informational(1000),
  },
]

const longestReason = filled('*', 123)
const wrongReason = hex('ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 61 66 74 65 72')

const payloads: readonly ConformanceCase[] = [
  { id: '7.3.1', about: 'Close without a code', steps: [close()], expect: closed(1000) },
  {
    id: '7.3.2',
    about: 'Close with one byte',
    steps: [frame(opcode.close, 'a')],
    expect: refused(1002),
  },
  { id: '7.3.3', about: 'Close with a code', steps: [close(1000)], expect: closed(1000) },
  { id: '7.3.4', about: 'Close with a reason', steps: [close(1000, hello)], expect: closed(1000) },
  {
    id: '7.3.5',
    about: 'Close with a reason of 123 bytes',
    steps: [close(1000, longestReason)],
    expect: closed(1000),
  },
  {
    id: '7.3.6',
    about: 'Close with a reason of 124 bytes',
    steps: [close(1000, filled('*', 124))],
    expect: refused(1002),
  },
  {
    id: '7.5.1',
    about: 'Close with a reason that is not UTF-8',
    steps: [close(1000, wrongReason)],
    expect: refused(1002, 1007),
  },
]

const validCodes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
const invalidCodes = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999]
const undefinedCodes = [5000, 65_535]

function numbered(
  group: number,
  codes: readonly number[],
  expectFor: (code: number) => Expectation,
): ConformanceCase[] {
  return codes.map((code, index) => ({
    id: `7.${group}.${index + 1}`,
    about: `Close with code ${code}`,
    steps: [close(code)],
    expect: expectFor(code),
  }))
}

export const closing: Section = {
  title: '7 Closing',
  cases: [
    ...basic,
    ...payloads,
    ...numbered(7, validCodes, (code) => closed(1000, code)),
    ...numbered(9, invalidCodes, () => refused(1002)),
    ...numbered(13, undefinedCodes, (code) => informational(1000, 1002, code)),
  ],
}
