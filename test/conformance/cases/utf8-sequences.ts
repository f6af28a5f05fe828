import { hex } from '../vocabulary.js'

/** Bytes that are sent as one text message each, in the groups of the published list. */
export interface SequenceGroup {
  readonly title: string
  readonly valid: boolean | ((index: number) => boolean)
  readonly payloads: readonly Buffer[]
}

function group(
  title: string,
  valid: SequenceGroup['valid'],
  ...sequences: (string | Buffer)[]
): SequenceGroup {
  return {
    title,
    valid,
    payloads: sequences.map((sequence) => (typeof sequence === 'string' ? hex(sequence) : sequence)),
  }
}

/** The Greek word kosme: one code point of three bytes (the second) among those of two. */
export const greek = hex('ce ba e1 bd b9 cf 83 ce bc ce b5')
/** Prefixes of it that end between two code points. */
const wholePrefixes = [2, 5, 7, 9, 11]

function between(codePoint: string): Buffer {
  return Buffer.from(`hello${codePoint}world`)
}

/** Every value from `first` to the one before `last`, each followed by what is given. */
function run(first: number, last: number, ...follow: number[]): Buffer {
  return Buffer.from(Array.from({ length: last - first }, (_, index) => [first + index, ...follow]).flat())
}

const unfinished = [
  'c0',
  'e0 80',
  'f0 80 80',
  'f8 80 80 80',
  'fc 80 80 80 80',
  'df',
  'ef bf',
  'f7 bf bf',
  'fb bf bf bf',
  'fd bf bf bf bf',
]

/** U+nFFFE and U+nFFFF of a plane: code points for internal use, valid on the wire. */
function nonCharacters(plane: number): Buffer[] {
  return [0xfffe, 0xffff].map((last) => Buffer.from(String.fromCodePoint(plane * 0x10000 + last)))
}

/** Within a plane of four-byte code points the same pattern of bytes recurs at every 0x10000. */
const planes = Array.from({ length: 16 }, (_, index) => index + 1)

export const sequences: readonly SequenceGroup[] = [
  group('valid text', true, between('$'), between('\u00a2'), between('\u20ac'), between('\u{24b62}'), greek),
  group(
    'prefix of a valid text',
    (index) => wholePrefixes.includes(index + 1),
    ...Array.from(greek, (_, index) => greek.subarray(0, index + 1)),
  ),
  group('first of its length', true, '00', 'c2 80', 'e0 a0 80', 'f0 90 80 80'),
  group('first of five and six bytes', false, 'f8 88 80 80 80', 'fc 84 80 80 80 80'),
  group('last of its length', true, '7f', 'df bf', 'ef bf bf', 'f4 8f bf bf'),
  group('last beyond Unicode', false, 'f7 bf bf bf', 'fb bf bf bf bf', 'fd bf bf bf bf bf'),
  group('boundary', (index) => index < 4, 'ed 9f bf', 'ee 80 80', 'ef bf bd', 'f4 8f bf bf', 'f4 90 80 80'),
  group(
    'continuation bytes alone',
    false,
    '80',
    'bf',
    '80 bf',
    '80 bf 80',
    '80 bf 80 bf',
    '80 bf 80 bf 80',
    '80 bf 80 bf 80 bf',
    run(0x80, 0xbf),
  ),
  group(
    'start bytes alone',
    false,
    run(0xc0, 0xdf, 0x20),
    run(0xe0, 0xef, 0x20),
    run(0xf0, 0xf7, 0x20),
    run(0xf8, 0xfb, 0x20),
    run(0xfc, 0xfd, 0x20),
  ),
  group('last byte missing', false, ...unfinished),
  group('unfinished sequences in a row', false, Buffer.concat(unfinished.map(hex))),
  group('bytes that UTF-8 never has', false, 'fe', 'ff', 'fe fe ff ff'),
  group('overlong slash', false, 'c0 af', 'e0 80 af', 'f0 80 80 af', 'f8 80 80 80 af', 'fc 80 80 80 80 af'),
  group('longest overlong', false, 'c1 bf', 'e0 9f bf', 'f0 8f bf bf', 'f8 87 bf bf bf', 'fc 83 bf bf bf bf'),
  group('overlong NUL', false, 'c0 80', 'e0 80 80', 'f0 80 80 80', 'f8 80 80 80 80', 'fc 80 80 80 80 80'),
  group(
    'surrogate alone',
    false,
    'ed a0 80',
    'ed ad bf',
    'ed ae 80',
    'ed af bf',
    'ed b0 80',
    'ed be 80',
    'ed bf bf',
  ),
  group(
    'surrogates in a pair',
    false,
    ...['ed a0 80', 'ed ad bf', 'ed ae 80', 'ed af bf'].flatMap((high) => [
      `${high} ed b0 80`,
      `${high} ed bf bf`,
    ]),
  ),
  group('non-character', true, 'ef bf be', 'ef bf bf', ...planes.flatMap(nonCharacters)),
  group('special', true, ...Array.from({ length: 7 }, (_, index) => Buffer.of(0xef, 0xbf, 0xb9 + index))),
]
