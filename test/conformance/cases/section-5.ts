import { answered, awaiting, continuation, failure, framewise, bytewise, ping, pong } from '../vocabulary.js'
import { pongOf, text, textMessage } from '../vocabulary.js'
import type { ConformanceCase, FrameStep, Section, Step } from '../vocabulary.js'

/** How the frames are laid on the wire: in one write, one by one, byte by byte. */
const layouts: readonly (readonly [string, (...frames: FrameStep[]) => Step[]])[] = [
  ['in one write', (...frames) => frames],
  ['frame by frame', (...frames) => [framewise(...frames)]],
  ['byte by byte', (...frames) => [bytewise(...frames)]],
]

/** Three cases with numbers from `first` on, which differ in their layout only. */
function inEachLayout(
  first: number,
  about: string,
  frames: readonly FrameStep[],
  expect: ConformanceCase['expect'],
): ConformanceCase[] {
  return layouts.map(([layout, lay], index) => ({
    id: `5.${first + index}`,
    about: `${about}, ${layout}`,
    steps: lay(...frames),
    expect,
  }))
}

function start(payload: string): FrameStep {
  return text(payload, { fin: false })
}

function middle(payload: string): FrameStep {
  return continuation(payload, { fin: false })
}

const end = continuation

const loose = 'continues nothing'
const whole = answered(textMessage('first second'))

/** A legal message of five fragments with two pings inside, the first of which is answered while it is unfinished. */
function interrupted(lay: (...frames: FrameStep[]) => Step[]): Step[] {
  return [
    ...lay(start('one '), middle('two '), ping('early')),
    awaiting(pongOf('early')),
    ...lay(middle('three '), middle('four '), ping('late'), end('five')),
  ]
}

const interruptedAnswer = answered(pongOf('early'), pongOf('late'), textMessage('one two three four five'))

function twice(...frames: FrameStep[]): FrameStep[] {
  return [...frames, ...frames]
}

export const fragmentation: Section = {
  title: '5 Fragmentation',
  cases: [
    {
      id: '5.1',
      about: 'ping in two fragments',
      steps: [ping('first ', { fin: false }), end('second')],
      expect: failure(1002),
    },
    {
      id: '5.2',
      about: 'pong in two fragments',
      steps: [pong('first ', { fin: false }), end('second')],
      expect: failure(1002),
    },
    ...inEachLayout(3, 'text in two fragments', [start('first '), end('second')], whole),
    ...inEachLayout(
      6,
      'text in two fragments with a ping between',
      [start('first '), ping('between'), end('second')],
      answered(pongOf('between'), textMessage('first second')),
    ),
    ...inEachLayout(
      9,
      'a last continuation of nothing, then text',
      [end(loose), text('not to be read')],
      failure(1002),
    ),
    ...inEachLayout(
      12,
      'a continuation of nothing without FIN, then text',
      [middle(loose), text('not to be read')],
      failure(1002),
    ),
    {
      id: '5.15',
      about: 'text in two fragments, a continuation of nothing without FIN, text',
      steps: [start('first '), end('second'), middle(loose), text('not to be read')],
      expect: failure(1002, textMessage('first second')),
    },
    {
      id: '5.16',
      about: 'twice: a continuation of nothing without FIN, text in two fragments',
      steps: twice(middle(loose), start('first '), end('second')),
      expect: failure(1002),
    },
    {
      id: '5.17',
      about: 'twice: a last continuation of nothing, text in two fragments',
      steps: twice(end(loose), start('first '), end('second')),
      expect: failure(1002),
    },
    {
      id: '5.18',
      about: 'two fragments that are both text frames',
      steps: [start('first '), text('second')],
      expect: failure(1002),
    },
    {
      id: '5.19',
      about: 'text in five fragments with two pings inside',
      steps: interrupted((...frames) => frames),
      expect: interruptedAnswer,
    },
    {
      id: '5.20',
      about: 'text in five fragments with two pings inside, frame by frame',
      steps: interrupted((...frames) => [framewise(...frames)]),
      expect: interruptedAnswer,
    },
  ],
}
