import { messagesOf } from '../corpus.js'
import { answered, binary, binaryMessage, filled, inFragments, inPiecesOf, bytesOf } from '../vocabulary.js'
import { roundTrips, text, textMessage } from '../vocabulary.js'
import type { ConformanceCase, Section } from '../vocabulary.js'

const kibi = 1024
const mebi = 1024 * kibi

function size(length: number): string {
  return length >= mebi ? `${length / mebi} MiB` : length >= kibi ? `${length / kibi} KiB` : `${length}`
}

const kinds = [
  { name: 'text', send: text, message: textMessage, pattern: 'tide 4711;' },
  { name: 'binary', send: binary, message: binaryMessage, pattern: Buffer.from('0017fa23fe', 'hex') },
] as const

/** The groups of a subject come in pairs of numbers: text first, then binary. */
function inBothKinds<Value>(
  group: number,
  values: readonly Value[],
  make: (kind: (typeof kinds)[number], value: Value) => Omit<ConformanceCase, 'id'>,
): ConformanceCase[] {
  return kinds.flatMap((kind, offset) =>
    values.map((value, index) => ({ id: `9.${group + offset}.${index + 1}`, ...make(kind, value) })),
  )
}

const wholeLengths = [64 * kibi, 256 * kibi, mebi, 4 * mebi, 8 * mebi, 16 * mebi]
const fragmentSizes = [64, 256, kibi, 4 * kibi, 16 * kibi, 64 * kibi, 256 * kibi, mebi, 4 * mebi]
const pieceSizes = [64, 128, 256, 512, kibi, 2 * kibi]
const roundTripLengths = [0, 16, 64, 256, kibi, 4 * kibi]

const whole = inBothKinds(1, wholeLengths, ({ name, send, message, pattern }, length) => ({
  about: `${name} of ${size(length)}`,
  steps: [send(filled(pattern, length))],
  expect: answered(message(filled(pattern, length))),
  heavy: length > 4 * mebi,
}))

const fragmented = inBothKinds(3, fragmentSizes, ({ name, send, message, pattern }, fragmentSize) => ({
  about: `${name} of 4 MiB in fragments of ${size(fragmentSize)}`,
  steps: inFragments(fragmentSize, send(filled(pattern, 4 * mebi))),
  expect: answered(message(filled(pattern, 4 * mebi))),
}))

const inPieces = inBothKinds(5, pieceSizes, ({ name, send, message, pattern }, pieceSize) => ({
  about: `${name} of 1 MiB in pieces of ${size(pieceSize)}`,
  steps: [inPiecesOf(pieceSize, send(filled(pattern, mebi)))],
  expect: answered(message(filled(pattern, mebi))),
}))

const there = inBothKinds(7, roundTripLengths, ({ name, pattern }, length) => ({
  about: `a thousand round trips of ${name}, ${size(length)} bytes each`,
  steps: [roundTrips(messagesOf(bytesOf(pattern)[0] ?? 0, name === 'binary', length, 1000))],
  expect: answered(),
}))

export const limits: Section = { title: '9 Limits', cases: [...whole, ...fragmented, ...inPieces, ...there] }
