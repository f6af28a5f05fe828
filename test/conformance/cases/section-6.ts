import { answered, continuation, failFast, failFastWithin, failure, hex, inFragments } from '../vocabulary.js'
import { bytesOf, text, textMessage } from '../vocabulary.js'
import type { ConformanceCase, Expectation, Payload, Section, Step } from '../vocabulary.js'
import { greek, sequences } from './utf8-sequences.js'

function echoed(payload: Payload, ...steps: Step[]): Pick<ConformanceCase, 'steps' | 'expect'> {
  return {
    steps: steps.length > 0 ? steps : [text(payload)],
    expect: answered(textMessage(payload)),
  }
}

const mixed = 'Grüße-µ@ßöäüàá-€!'
const after = Buffer.from('after')

// Valid up to and including F4; 90 would make it a code point above U+10FFFF.
const tooHigh = hex('f4 90 80 80')
const wrongWhole = Buffer.concat([greek, tooHigh, after])
const firstWrong = greek.length + 1

/** The Close frame has to come while the third part is withheld; after it, it is NON-STRICT. */
const failsAtOnce: Expectation = {
  events: [],
  tolerated: [{ kind: 'withheld part sent' }],
  closedBy: 'peer',
  codes: [1007],
  clean: false,
  fatal: 'FAILED',
}
const invalid: Expectation = { ...failure(1007), fatal: 'FAILED' }

const surrogate = Buffer.concat([greek, hex('ed a0 80'), after])

const basic: readonly ConformanceCase[] = [
  { id: '6.1.1', about: 'empty text', ...echoed('') },
  { id: '6.1.2', about: 'three empty fragments', ...echoed('', ...threeFragments('')) },
  {
    id: '6.1.3',
    about: 'an empty, a full and an empty fragment',
    ...echoed('amid', ...threeFragments('amid')),
  },
  { id: '6.2.1', about: 'valid text in one frame', ...echoed(mixed) },
  {
    id: '6.2.2',
    about: 'valid text cut between two code points',
    ...echoed(mixed, text(mixed.slice(0, 9), { fin: false }), continuation(mixed.slice(9))),
  },
  {
    id: '6.2.3',
    about: 'valid text in fragments of one byte',
    ...echoed(mixed, ...inFragments(1, text(mixed))),
  },
  {
    id: '6.2.4',
    about: 'valid Greek text in fragments of one byte',
    ...echoed(greek, ...inFragments(1, text(greek))),
  },
  { id: '6.3.1', about: 'a surrogate within a text', steps: [text(surrogate)], expect: invalid },
  {
    id: '6.3.2',
    about: 'a surrogate within a text in fragments of one byte',
    steps: inFragments(1, text(surrogate)),
    expect: invalid,
  },
]

function threeFragments(payload: Payload): Step[] {
  return [text('', { fin: false }), continuation(payload, { fin: false }), continuation('')]
}

const failingFast: readonly ConformanceCase[] = [
  {
    id: '6.4.1',
    about: 'the second of three fragments holds a code point too high',
    steps: [
      failFast(text(greek, { fin: false }), continuation(tooHigh, { fin: false }), continuation(after)),
    ],
    expect: failsAtOnce,
  },
  {
    id: '6.4.2',
    about: 'the second of three fragments is the one byte that makes the text wrong',
    steps: [
      failFast(
        text(wrongWhole.subarray(0, firstWrong), { fin: false }),
        continuation(wrongWhole.subarray(firstWrong, firstWrong + 1), { fin: false }),
        continuation(wrongWhole.subarray(firstWrong + 1)),
      ),
    ],
    expect: failsAtOnce,
  },
  {
    id: '6.4.3',
    about: 'a code point too high in the second third of one frame',
    steps: [failFastWithin(text(wrongWhole), greek.length, greek.length + tooHigh.length)],
    expect: failsAtOnce,
  },
  {
    id: '6.4.4',
    about: 'the one byte that makes the text wrong, inside one frame',
    steps: [failFastWithin(text(wrongWhole), firstWrong, firstWrong + 1)],
    expect: failsAtOnce,
  },
]

// Groups 6.5 to 6.23, one sequence a case.
const single = sequences.flatMap(({ title, valid: validity, payloads }, group) =>
  payloads.map((payload, index): ConformanceCase => {
    const valid = typeof validity === 'boolean' ? validity : validity(index)
    return {
      id: `6.${group + 5}.${index + 1}`,
      about: `${title}: ${bytesOf(payload).subarray(0, 16).toString('hex')}`,
      steps: [text(payload)],
      expect: valid ? answered(textMessage(payload)) : invalid,
    }
  }),
)

export const utf8: Section = { title: '6 UTF-8', cases: [...basic, ...failingFast, ...single] }
