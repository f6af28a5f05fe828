import { Utf8Validator } from 'hubwire/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runs } from '../support/runs.js'

type Range = readonly [from: number, to: number]

const TAIL: Range = [0x80, 0xbf]

/** The grammar of RFC 3629 section 4, row by row. */
const CHARACTERS: readonly (readonly Range[])[] = [
  [[0x00, 0x7f]],
  [[0xc2, 0xdf], TAIL],
  [[0xe0, 0xe0], [0xa0, 0xbf], TAIL],
  [[0xe1, 0xec], TAIL, TAIL],
  [[0xed, 0xed], [0x80, 0x9f], TAIL],
  [[0xee, 0xef], TAIL, TAIL],
  [[0xf0, 0xf0], [0x90, 0xbf], TAIL, TAIL],
  [[0xf1, 0xf3], TAIL, TAIL, TAIL],
  [[0xf4, 0xf4], [0x80, 0x8f], TAIL, TAIL],
]

interface Judgement {
  /** The index of the first byte after which no text can be valid, or the length. */
  readonly good: number
  /** Whether what is good ends with a whole character. */
  readonly complete: boolean
}

function judge(bytes: Uint8Array): Judgement {
  let rows = CHARACTERS
  let index = 0
  for (let place = 0; index < bytes.length; index++) {
    const byte = bytes[index]!
    rows = rows.filter((row) => byte >= row[place]![0] && byte <= row[place]![1])
    if (rows.length === 0) return { good: index, complete: place === 0 }
    place++
    if (rows[0]!.length > place) continue
    rows = CHARACTERS
    place = 0
  }
  return { good: index, complete: rows === CHARACTERS }
}

/** What the validator finds in these pieces; `good` is counted in whole pieces that it took. */
function validate(pieces: readonly Buffer[]): Judgement {
  const validator = new Utf8Validator()
  let good = 0
  for (const piece of pieces) {
    if (!validator.push(piece, 0, piece.length)) return { good, complete: validator.complete }
    good += piece.length
  }
  return { good, complete: validator.complete }
}

function byteByByte(bytes: Buffer): Judgement {
  return validate([...bytes].map((byte) => Buffer.of(byte)))
}

/** Whether the validator, given the bytes in two pieces, refuses the one that holds the first bad byte. */
function isRightAtEachCut(bytes: Buffer): boolean {
  const { good, complete } = judge(bytes)
  const end = bytes.length
  for (let cut = 0; cut <= end; cut++) {
    const found = validate([bytes.subarray(0, cut), bytes.subarray(cut)])
    const expected = good === end ? end : good < cut ? 0 : cut
    if (found.good !== expected || (good === end && found.complete !== complete)) return false
  }
  return true
}

const TEXTS: readonly [name: string, bytes: string][] = [
  ['nothing', ''],
  ['ASCII', '48656c6c6f'],
  ['NUL and DEL', '007f'],
  ['the first and last of two bytes', 'c280dfbf'],
  ['the first and last of three bytes', 'e0a080efbfbf'],
  ['the first and last of four bytes', 'f0908080f48fbfbf'],
  ['the last before the surrogates and the first after', 'ed9fbfee8080'],
  ['a byte order mark', 'efbbbf'],
  ['an unfinished character of two', 'c2'],
  ['an unfinished character of three', 'e282'],
  ['an unfinished character of four', 'f09f98'],
  ['a lone continuation', '80'],
  ['an overlong NUL', 'c080'],
  ['an overlong slash in three bytes', 'e080af'],
  ['an overlong slash in four bytes', 'f08080af'],
  ['the first surrogate', 'eda080'],
  ['the last surrogate', 'edbfbf'],
  ['CESU-8', 'eda0bdedb880'],
  ['one beyond U+10FFFF', 'f4908080'],
  ['five bytes', 'f888808080'],
  ['0xFE', 'fe'],
  ['0xFF', 'ff'],
  ['a character cut short by ASCII', 'e28241'],
  ['a character cut short by another', 'e282c3a9'],
  ['one continuation too many', 'c3a980'],
  ['κόσμε', 'cebae1bdb9cf83cebcceb5'],
  // Autobahn 6.3.1: a surrogate in the midst of good text.
  ['κόσμε, a surrogate, "edited"', 'cebae1bdb9cf83cebcceb5eda080656469746564'],
]

describe('Utf8Validator', () => {
  test.each(TEXTS)('%s', (_name, hex) => {
    const bytes = Buffer.from(hex, 'hex')
    const { good, complete } = judge(bytes)
    const found = byteByByte(bytes)
    expect(found.good).toBe(good)
    if (good === bytes.length) expect(found.complete).toBe(complete)
  })

  // Among 0 to 40 bytes the text meets every place of the call for long pieces, its beginning and its end.
  test.each(TEXTS)('%s, before and after other text, whole and cut at each byte', (_name, hex) => {
    const text = Buffer.from(hex, 'hex')
    const wrong = []
    for (let before = 0; before <= 40; before++) {
      for (const behind of [0, 1, 2, 3, 40]) {
        const bytes = Buffer.concat([Buffer.alloc(before, 'a'), text, Buffer.alloc(behind, 'z')])
        if (!isRightAtEachCut(bytes)) wrong.push({ before, behind })
      }
    }
    expect(wrong).toEqual([])
  })

  test('judges each pair of bytes, alone and followed by others', () => {
    const wrong = []
    for (const tail of ['', '8080', 'bfbf', '7f80', '80c0']) {
      const bytes = Buffer.from(`0000${tail}`, 'hex')
      for (let pair = 0; pair < 0x1_00_00; pair++) {
        bytes.writeUInt16BE(pair)
        const { good, complete } = judge(bytes)
        const validator = new Utf8Validator()
        const isValid = validator.push(bytes, 0, bytes.length)
        const isRight = isValid === (good === bytes.length) && (!isValid || validator.complete === complete)
        if (!isRight) wrong.push(bytes.toString('hex'))
      }
    }
    expect(wrong).toEqual([])
  })

  test('refuses invalid text at the piece that has its first invalid byte', () => {
    const byte = fc.oneof(fc.nat(255), fc.constantFrom(0x41, 0x80, 0xbf, 0xc3, 0xe2, 0xed, 0xf0, 0xf4))
    const character = fc.constantFrom('a', 'é', '\u0800', '€', '\ud7ff', '\uffff', '\u{10000}', '\u{10ffff}')
    const text = fc.string({ unit: character, maxLength: 40, size: 'max' }).map((text) => Buffer.from(text))
    const part = fc.oneof(
      { weight: 4, arbitrary: text },
      { weight: 1, arbitrary: fc.array(byte, { maxLength: 3 }).map((bytes) => Buffer.from(bytes)) },
    )
    const parts = fc.array(part, { maxLength: 8 }).map((parts) => Buffer.concat(parts))
    const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(parts, sizes, (bytes, sizes) => {
        const pieces: Buffer[] = []
        const { good, complete } = judge(bytes)
        let expected = 0
        for (let start = 0; start < bytes.length; start += pieces.at(-1)!.length) {
          pieces.push(bytes.subarray(start, start + sizes[pieces.length % sizes.length]!))
          if (good === bytes.length || good >= start + pieces.at(-1)!.length) {
            expected = start + pieces.at(-1)!.length
          }
        }
        const found = validate(pieces)
        expect(found.good).toBe(expected)
        if (good === bytes.length) expect(found.complete).toBe(complete)
      }),
      { numRuns: runs(300) },
    )
  })

  test('reads only the range that it is given', () => {
    const bytes = Buffer.from('ff80c3a9ff', 'hex')
    const validator = new Utf8Validator()
    expect(validator.push(bytes, 2, 4)).toBe(true)
    expect(validator.push(bytes, 1, 1)).toBe(true)
    expect(validator.complete).toBe(true)
  })
})

test('is tested against a reference that agrees with TextDecoder', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  for (const [, hex] of TEXTS) {
    const bytes = Buffer.from(hex, 'hex')
    const { good, complete } = judge(bytes)
    const decode = (): string => decoder.decode(bytes)
    if (good === bytes.length && complete) expect(decode).not.toThrow()
    else expect(decode).toThrow()
  }
})
